"""Silver: judged rows, bad rows, the standing version of every key, and the bad-rate gate."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar

from .bronze import Batch, BronzeRow, bronze_rows
from .clock import as_utc, kst_day
from .judgement import balances, entry_version, judge, plausible, reference_version, row_time, snapshot_instant
from .numbers import money
from .rules import EntryType, Rules

TARGETS = {
    "user_wallets_raw": "silver.wallet_snapshot",
    "transaction_ledger_raw": "silver.ledger_entries",
    "payment_orders_raw": "silver.order_events",
    "orders_raw": "silver.order_events",
    "order_items_raw": "silver.order_items",
    "products_raw": "silver.products",
}
PAYMENT_ORDERS = "PAYMENT_ORDERS"
ORDERS = "ORDERS"


@dataclass(frozen=True, kw_only=True)
class WalletSnapshot:
    """Balances of a wallet at one instant."""

    snapshot_ts: datetime
    snapshot_date_kst: date
    user_id: str
    balance_available: Decimal
    balance_frozen: Decimal
    balance_total: Decimal
    source_updated_at: datetime | None
    rule_id: str | None
    version_ts: datetime


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """Accepted ledger entry."""

    tx_id: str
    wallet_id: str
    event_time: datetime
    event_date_kst: date
    entry_type: str
    amount: Decimal
    amount_signed: Decimal
    related_id: str | None
    related_type: str | None
    status: str | None
    created_at: datetime
    rule_id: str | None
    version_ts: datetime


@dataclass(frozen=True, kw_only=True)
class OrderEvent:
    """Latest valid version of a payment order or commerce order."""

    order_ref: str
    order_source: str
    user_id: str | None
    merchant_name: str | None
    amount: Decimal
    status: str | None
    event_time: datetime
    event_date_kst: date
    version_ts: datetime


@dataclass(frozen=True, kw_only=True)
class OrderItem:
    """Latest valid version of a line of a commerce order."""

    item_id: int
    order_id: int
    order_ref: str
    product_id: int
    quantity: int | None
    price_at_purchase: Decimal | None
    version_ts: datetime


@dataclass(frozen=True, kw_only=True)
class Product:
    """Latest valid version of a product."""

    product_id: int
    product_name: str | None
    category: str | None
    price_krw: Decimal | None
    is_display: bool | None
    version_ts: datetime


@dataclass(frozen=True)
class BadRow:
    """Rejected line with its first reason."""

    table: str
    reason: str
    raw: str
    bronze_table: str


@dataclass(frozen=True)
class Judged:
    """Bronze row and the first check it failed (None: valid); conflicts between rows are judged later.

    `source_time` is its plausible time, `row_time` when the guardrail counts it.
    """

    row: BronzeRow
    reason: str | None
    source_time: datetime | None
    row_time: datetime


@dataclass(frozen=True, kw_only=True)
class SilverTables:
    """Standing rows by key, bad rows, and per table how many rows were seen and how many of them were bad."""

    wallet_snapshot: dict[tuple[datetime, str], WalletSnapshot]
    ledger_entries: dict[tuple[str, str], LedgerEntry]
    order_events: dict[tuple[str, str], OrderEvent]
    order_items: dict[int, OrderItem]
    products: dict[int, Product]
    bad_rows: list[BadRow]
    judged: list[Judged]
    totals: dict[str, int] = field(default_factory=dict)
    bad_counts: dict[str, int] = field(default_factory=dict)

    def payment_order(self, related_id: str | None) -> OrderEvent | None:
        """Payment order with this reference."""
        return self.order_events.get((related_id, PAYMENT_ORDERS)) if related_id else None


@dataclass(frozen=True, kw_only=True)
class GateBreach:
    """Silver table whose share of bad rows is above the threshold."""

    table: str
    bad: int
    total: int
    threshold: Decimal
    rule_id: str


def silver(
    batches: Iterable[Batch], rules: Rules, entry_types: Mapping[str, EntryType], as_of: datetime
) -> SilverTables:
    """Silver of a run from scratch at the instant `as_of` over all batches; the bad-rate gate is not applied."""
    as_of = as_utc(as_of)
    judged = [judged_row(row, rules, entry_types, as_of) for row in bronze_rows(batches)]
    bad = [
        BadRow(TARGETS[checked.row.table], checked.reason, checked.row.raw, checked.row.table)
        for checked in judged
        if checked.reason
    ]
    valid: dict[str, list[BronzeRow]] = defaultdict(list)
    for checked in judged:
        if checked.reason is None:
            valid[checked.row.table].append(checked.row)

    orders = [payment_order_event(row) for row in valid["payment_orders_raw"]]
    orders += [commerce_order_event(row) for row in valid["orders_raw"]]
    order_events = latest(orders, lambda order: (order.order_ref, order.order_source), lambda order: order.version_ts)
    statuses = {ref: order.status for (ref, source), order in order_events.items() if source == PAYMENT_ORDERS}
    entries, conflicting = standing_entries(
        [(row, ledger_entry(row, rules, entry_types)) for row in valid["transaction_ledger_raw"]]
    )
    bad += [BadRow(TARGETS[row.table], "conflicting_entry", row.raw, row.table) for row in conflicting]
    snapshots = [wallet_snapshot(row, rules) for row in valid["user_wallets_raw"]]
    items = [order_item(row) for row in valid["order_items_raw"]]
    products = [product(row) for row in valid["products_raw"]]
    seen = [TARGETS[checked.row.table] for checked in judged]
    rejected = [row.table for row in bad]
    return SilverTables(
        wallet_snapshot=latest(snapshots, lambda row: (row.snapshot_ts, row.user_id), lambda row: row.version_ts),
        ledger_entries={
            key: replace(entry, status=statuses.get(entry.related_id) if entry.related_id else None)
            for key, entry in entries.items()
        },
        order_events=order_events,
        order_items=latest(items, lambda row: row.item_id, lambda row: row.version_ts),
        products=latest(products, lambda row: row.product_id, lambda row: row.version_ts),
        bad_rows=bad,
        judged=judged,
        totals={table: seen.count(table) for table in TARGETS.values()},
        bad_counts={table: rejected.count(table) for table in TARGETS.values()},
    )


def judged_row(row: BronzeRow, rules: Rules, entry_types: Mapping[str, EntryType], as_of: datetime) -> Judged:
    """One line with its reason and its place in time."""
    source_time = None
    if not row.malformed:
        named = snapshot_instant(row) if row.table == "user_wallets_raw" else row.instant("created_at")
        source_time = plausible(row, named, rules, as_of)
    return Judged(row, judge(row, rules, entry_types, as_of), source_time, row_time(row, source_time, rules, as_of))


Row = TypeVar("Row")
Key = TypeVar("Key")


def latest(rows: Iterable[Row], key: Callable[[Row], Key], version: Callable[[Row], datetime]) -> dict[Key, Row]:
    """Row with the greatest version time per key, the last arrival among equals; rows come in order of arrival."""
    standing: dict[Key, Row] = {}
    for row in rows:
        held = standing.get(key(row))
        if held is None or version(row) >= version(held):
            standing[key(row)] = row
    return standing


def standing_entries(
    rows: Iterable[tuple[BronzeRow, LedgerEntry]],
) -> tuple[dict[tuple[str, str], LedgerEntry], list[BronzeRow]]:
    """Standing entry per key, and the lines that contradict an earlier line of the same key and version time."""
    first: dict[tuple[str, str, datetime], LedgerEntry] = {}
    conflicting = []
    for row, entry in rows:
        held = first.setdefault((entry.tx_id, entry.wallet_id, entry.version_ts), entry)
        if (held.amount, held.entry_type, held.related_id) != (entry.amount, entry.entry_type, entry.related_id):
            conflicting.append(row)
    standing = latest(first.values(), lambda entry: (entry.tx_id, entry.wallet_id), lambda entry: entry.version_ts)
    return standing, conflicting


Given = TypeVar("Given")


def known(value: Given | None) -> Given:
    """A value that the checks have proven to be there."""
    if value is None:
        raise ValueError
    return value


def wallet_snapshot(row: BronzeRow, rules: Rules) -> WalletSnapshot:
    """Valid wallet line as a Silver row."""
    available, frozen = balances(row)
    instant = snapshot_instant(row)
    rule = rules.on_day("silver", "bad_records_rate", kst_day(instant), "silver.wallet_snapshot")
    return WalletSnapshot(
        snapshot_ts=instant,
        snapshot_date_kst=kst_day(instant),
        user_id=known(row.text("user_id")),
        balance_available=known(available),
        balance_frozen=known(frozen),
        balance_total=money(known(available) + known(frozen)),
        source_updated_at=row.instant("updated_at"),
        rule_id=rule.rule_id if rule else None,
        version_ts=instant,
    )


def ledger_entry(row: BronzeRow, rules: Rules, entry_types: Mapping[str, EntryType]) -> LedgerEntry:
    """Valid ledger line as a Silver row, still without the status of its payment order."""
    created_at, amount, entry_type = known(row.instant("created_at")), known(row.amount("amount")), row.text("type")
    rule = rules.on_day("silver", "entry_type_allowed", kst_day(created_at), f"bronze.{row.table}")
    return LedgerEntry(
        tx_id=known(row.text("tx_id")),
        wallet_id=known(row.text("wallet_id")),
        event_time=created_at,
        event_date_kst=kst_day(created_at),
        entry_type=known(entry_type),
        amount=amount,
        amount_signed=money(amount * entry_types[known(entry_type)].sign),
        related_id=row.text("related_id"),
        related_type=None,
        status=None,
        created_at=row.instant("entry_created_at") or created_at,
        rule_id=rule.rule_id if rule else None,
        version_ts=known(entry_version(row)),
    )


def payment_order_event(row: BronzeRow) -> OrderEvent:
    """Valid payment order line as a Silver row."""
    created_at = known(row.instant("created_at"))
    return OrderEvent(
        order_ref=known(row.text("order_id")),
        order_source=PAYMENT_ORDERS,
        user_id=row.text("user_id"),
        merchant_name=row.text("merchant_name"),
        amount=known(row.amount("amount")),
        status=row.text("status"),
        event_time=created_at,
        event_date_kst=kst_day(created_at),
        version_ts=known(entry_version(row)),
    )


def commerce_order_event(row: BronzeRow) -> OrderEvent:
    """Valid commerce order line as a Silver row."""
    created_at = known(row.instant("created_at"))
    return OrderEvent(
        order_ref=str(known(row.integer("order_id"))),
        order_source=ORDERS,
        user_id=row.text("user_id"),
        merchant_name=None,
        amount=known(row.amount("total_amount")),
        status=row.text("status"),
        event_time=created_at,
        event_date_kst=kst_day(created_at),
        version_ts=known(entry_version(row)),
    )


def order_item(row: BronzeRow) -> OrderItem:
    """Valid order line as a Silver row."""
    return OrderItem(
        item_id=known(row.integer("item_id")),
        order_id=known(row.integer("order_id")),
        order_ref=str(known(row.integer("order_id"))),
        product_id=known(row.integer("product_id")),
        quantity=row.integer("quantity"),
        price_at_purchase=row.amount("price_at_purchase"),
        version_ts=reference_version(row),
    )


def product(row: BronzeRow) -> Product:
    """Valid product line as a Silver row."""
    return Product(
        product_id=known(row.integer("product_id")),
        product_name=row.text("product_name"),
        category=row.text("category"),
        price_krw=row.amount("price_krw"),
        is_display=row.flag("is_display"),
        version_ts=reference_version(row),
    )


def gate_breaches(tables: SilverTables, rules: Rules, as_of: datetime) -> list[GateBreach]:
    """Tables that stop the run when every row of `tables` is pending, by the rules of the run's instant."""
    breaches = []
    for table in sorted(tables.totals):
        rule = rules.at("silver", "bad_records_rate", as_utc(as_of), table)
        least = rules.at("silver", "bad_records_min_rows", as_utc(as_of), table)
        min_rows = least.threshold if least and least.threshold is not None else Decimal(1)
        bad, seen = tables.bad_counts[table], tables.totals[table]
        if rule is None:
            continue
        threshold = rule.limits.get("fail", rule.threshold)
        if threshold is not None and seen >= min_rows and bad > threshold * seen:
            breaches.append(GateBreach(table=table, bad=bad, total=seen, threshold=threshold, rule_id=rule.rule_id))
    return breaches
