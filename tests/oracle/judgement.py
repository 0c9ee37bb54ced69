"""Checks of Silver: the first reason for which a Bronze line is rejected, and the version time of a line."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from .bronze import BronzeRow
from .clock import kst_day
from .numbers import ZERO
from .rules import EntryType, Rules


def snapshot_instant(row: BronzeRow) -> datetime:
    """When the balances of a wallet line were true."""
    return row.source_extracted_at or row.instant("updated_at") or row.ingested_at


def entry_version(row: BronzeRow) -> datetime | None:
    """Version time of a line of the ledger or of an order."""
    return row.source_extracted_at or row.instant("updated_at") or row.instant("created_at")


def reference_version(row: BronzeRow) -> datetime:
    """Version time of an order line or a product."""
    return row.source_extracted_at or row.instant("updated_at") or row.ingested_at


def row_day(row: BronzeRow) -> date | None:
    """KST day of created_at, if there is one."""
    created_at = row.instant("created_at")
    return kst_day(created_at) if created_at else None


def balances(row: BronzeRow) -> tuple[Decimal | None, Decimal | None]:
    """Available and frozen balance; a deleted wallet holds nothing."""
    if row.flag("is_deleted"):
        return ZERO, ZERO
    return row.amount("balance"), row.amount("frozen_amount")


def judge(row: BronzeRow, rules: Rules, entry_types: Mapping[str, EntryType], as_of: datetime) -> str | None:
    """First check that the line fails; None for a valid line."""
    if row.malformed:
        return "malformed_line"
    match row.table:
        case "user_wallets_raw":
            return judge_wallet(row)
        case "transaction_ledger_raw":
            return judge_entry(row, rules, entry_types, as_of)
        case "payment_orders_raw":
            return judge_order(row, row.text("order_id") is None, row.amount("amount"), rules, as_of)
        case "orders_raw":
            return judge_order(row, row.integer("order_id") is None, row.amount("total_amount"), rules, as_of)
        case "order_items_raw":
            return judge_item(row)
        case _:
            if row.integer("product_id") is None:
                return "missing_product_id"
            return judge_price(row, "price_krw")


def judge_wallet(row: BronzeRow) -> str | None:
    """Checks of silver.wallet_snapshot."""
    available, frozen = balances(row)
    if row.text("user_id") is None:
        return "missing_user_id"
    if available is None or frozen is None:
        return "invalid_balance"
    return "negative_balance" if available < 0 or frozen < 0 else None


def judge_entry(row: BronzeRow, rules: Rules, entry_types: Mapping[str, EntryType], as_of: datetime) -> str | None:
    """Checks of silver.ledger_entries."""
    entry_type, amount = row.text("type"), row.amount("amount")
    rule = rules.of("silver", "entry_type_allowed", row_day(row), as_of, f"bronze.{row.table}")
    if row.text("tx_id") is None or row.text("wallet_id") is None:
        return "missing_tx_or_wallet"
    if entry_type is None:
        return "missing_entry_type"
    if rule and rule.allowed and entry_type not in rule.allowed:
        return "invalid_entry_type"
    if amount is None:
        return "invalid_amount"
    if amount <= 0:
        return "non_positive_amount"
    if entry_type not in entry_types:
        return "amount_signed_unavailable"
    return "missing_event_time" if row.instant("created_at") is None else None


def judge_order(row: BronzeRow, no_id: bool, amount: Decimal | None, rules: Rules, as_of: datetime) -> str | None:
    """Checks of silver.order_events."""
    status = row.text("status")
    rule = rules.of("silver", "payment_status_allowed", row_day(row), as_of, f"bronze.{row.table}")
    if no_id:
        return "missing_order_id"
    if amount is None:
        return "invalid_amount"
    if amount <= 0:
        return "non_positive_amount"
    if row.instant("created_at") is None:
        return "missing_event_time"
    return "invalid_status" if status and rule and rule.allowed and status not in rule.allowed else None


def judge_item(row: BronzeRow) -> str | None:
    """Checks of silver.order_items."""
    quantity = row.integer("quantity")
    if any(row.integer(key) is None for key in ("item_id", "order_id", "product_id")):
        return "missing_required_keys"
    if "quantity" in row.unreadable or (quantity is not None and quantity < 0):
        return "invalid_quantity"
    return judge_price(row, "price_at_purchase")


def judge_price(row: BronzeRow, column: str) -> str | None:
    """Checks of an optional price."""
    price = row.amount(column)
    if price is not None and price < 0:
        return "negative_price"
    return "invalid_price" if column in row.unreadable else None
