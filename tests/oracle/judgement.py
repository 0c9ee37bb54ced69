"""Checks of Silver: the first reason for which a Bronze line is rejected, and the version time of a line."""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

from .bronze import BronzeRow
from .clock import ONE_DAY, as_utc, day_start, kst_day
from .numbers import ZERO
from .rules import EntryType, Rules

ZERO_DAYS = timedelta(0)


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


def instants(row: BronzeRow) -> list[datetime]:
    """Every instant that the line names, or that the load names for it."""
    names = ("created_at", "entry_created_at", "updated_at")
    return [instant for instant in (*(row.instant(name) for name in names), row.source_extracted_at) if instant]


def plausible(row: BronzeRow, instant: datetime | None, rules: Rules, as_of: datetime) -> datetime | None:
    """The instant, None where nobody can mean it: before what the rules accept, or a day and more after it arrived."""
    if instant is None:
        return None
    anchor = snapshot_instant(row) if row.table == "user_wallets_raw" else row.instant("created_at")
    day = kst_day(anchor) if anchor else kst_day(as_of)
    first = min((rule.start for rule in rules.versions if rule.domain == "silver"), default=as_of)
    calendar = day_start(kst_day(first)) + (ONE_DAY if first > day_start(kst_day(first)) else ZERO_DAYS)
    if day_start(day) < calendar:
        return None
    rule = rules.on_day("silver", "earliest_instant", day)
    earliest = as_utc(datetime.fromisoformat(rule.allowed[0])) if rule else calendar
    return instant if max(earliest, calendar) <= instant <= row.ingested_at + ONE_DAY else None


def row_time(row: BronzeRow, source_time: datetime | None, rules: Rules, as_of: datetime) -> datetime:
    """When the guardrail counts a line without a plausible source time."""
    if row.malformed:
        return row.source_extracted_at or row.ingested_at
    if source_time or row.table == "user_wallets_raw":
        return source_time or row.ingested_at
    return plausible(row, row.source_extracted_at, rules, as_of) or row.ingested_at


def judge(row: BronzeRow, rules: Rules, entry_types: Mapping[str, EntryType], as_of: datetime) -> str | None:
    """First check that the line fails; None for a valid line."""
    if row.malformed:
        return "malformed_line"
    match row.table:
        case "user_wallets_raw":
            reason = judge_wallet(row, rules)
        case "transaction_ledger_raw":
            reason = judge_entry(row, rules, entry_types, as_of)
        case "payment_orders_raw":
            reason = judge_order(row, row.text("order_id") is None, row.amount("amount"), rules, as_of)
        case "orders_raw":
            reason = judge_order(row, row.integer("order_id") is None, row.amount("total_amount"), rules, as_of)
        case "order_items_raw":
            reason = judge_item(row)
        case _:
            reason = absent(row, "missing_product_id", "product_id") if row.integer("product_id") is None else None
            reason = reason or judge_price(row, "price_krw")
    return reason or judge_any_column(row, rules, as_of)


def absent(row: BronzeRow, reason: str, *keys: str) -> str:
    """Reason for a row that lacks a value: the line has none, or one that does not fit."""
    if unfit := [key for key in keys if key in row.unreadable]:
        return "invalid_entry_type" if unfit[0] == "type" else f"invalid_{unfit[0]}"
    return "implausible_time" if set(keys) & set(row.remote) else reason


def judge_any_column(row: BronzeRow, rules: Rules, as_of: datetime) -> str | None:
    """Checks of all columns of any table."""
    if row.unreadable:
        return f"invalid_{row.unreadable[0]}"
    day = kst_day(snapshot_instant(row)) if row.table == "user_wallets_raw" else row_day(row) or kst_day(as_of)
    if row.remote or any(plausible(row, instant, rules, as_of) is None for instant in instants(row)):
        return "implausible_time"
    currency = row.text("currency")
    rule = rules.on_day("silver", "currency_allowed", day, f"bronze.{row.table}")
    return "unsupported_currency" if currency and rule and currency.upper() not in rule.allowed else None


def judge_wallet(row: BronzeRow, rules: Rules) -> str | None:
    """Checks of silver.wallet_snapshot."""
    available, frozen = balances(row)
    wallet = row.text("user_id")
    if wallet is None:
        return absent(row, "missing_user_id", "user_id")
    if available is None or frozen is None:
        return "invalid_balance"
    rule = rules.on_day("silver", "overdraft_allowed", kst_day(snapshot_instant(row)))
    may_be_negative = rule is not None and any(re.fullmatch(pattern, wallet) for pattern in rule.allowed)
    return "negative_balance" if (available < 0 or frozen < 0) and not may_be_negative else None


def judge_entry(row: BronzeRow, rules: Rules, entry_types: Mapping[str, EntryType], as_of: datetime) -> str | None:
    """Checks of silver.ledger_entries."""
    entry_type, amount = row.text("type"), row.amount("amount")
    rule = rules.of("silver", "entry_type_allowed", row_day(row), as_of, f"bronze.{row.table}")
    if row.text("tx_id") is None or row.text("wallet_id") is None:
        return absent(row, "missing_tx_or_wallet", "tx_id", "wallet_id")
    if entry_type is None:
        return absent(row, "missing_entry_type", "entry_type", "type")
    if rule and rule.allowed and entry_type not in rule.allowed:
        return "invalid_entry_type"
    if amount is None:
        return "invalid_amount"
    if amount <= 0:
        return "non_positive_amount"
    if entry_type not in entry_types:
        return "amount_signed_unavailable"
    if row.instant("created_at") is None:
        return absent(row, "missing_event_time", "event_time", "source_created_at", "created_at")
    return None


def judge_order(row: BronzeRow, no_id: bool, amount: Decimal | None, rules: Rules, as_of: datetime) -> str | None:
    """Checks of silver.order_events."""
    status = row.text("status")
    rule = rules.of("silver", "payment_status_allowed", row_day(row), as_of, f"bronze.{row.table}")
    if no_id:
        return absent(row, "missing_order_id", "order_id")
    if amount is None:
        return "invalid_amount"
    if amount <= 0:
        return "non_positive_amount"
    if row.instant("created_at") is None:
        return absent(row, "missing_event_time", "created_at", "event_time")
    return "invalid_status" if status and rule and rule.allowed and status not in rule.allowed else None


def judge_item(row: BronzeRow) -> str | None:
    """Checks of silver.order_items."""
    quantity = row.integer("quantity")
    if any(row.integer(key) is None for key in ("item_id", "order_id", "product_id")):
        return absent(row, "missing_required_keys", "item_id", "order_id", "product_id")
    if "quantity" in row.unreadable or (quantity is not None and quantity < 0):
        return "invalid_quantity"
    return judge_price(row, "price_at_purchase")


def judge_price(row: BronzeRow, column: str) -> str | None:
    """Checks of an optional price."""
    price = row.amount(column)
    if price is not None and price < 0:
        return "negative_price"
    return "invalid_price" if column in row.unreadable else None
