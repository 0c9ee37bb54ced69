"""Guardrail: data quality figures of the three guarded sources per window, their tag and their exceptions."""

import json
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from .bronze import BronzeRow
from .clock import ONE_DAY, as_utc, day_closed_by, day_end, day_range, day_start, kst_day
from .judgement import entry_version, snapshot_instant
from .numbers import scaled
from .rules import Rule, Rules
from .silver import Judged, SilverTables

LEDGER = "bronze.transaction_ledger_raw"
WALLETS = "bronze.user_wallets_raw"
ORDERS = "bronze.payment_orders_raw"
SOURCES = (LEDGER, WALLETS, ORDERS)
DUP_METRICS = {LEDGER: "dup_rate_tx_id", WALLETS: "dup_rate_user_id", ORDERS: "dup_rate_order_id"}


@dataclass(frozen=True, kw_only=True)
class GuardRow:
    """Bronze line as the guardrail sees it. `key` holds Silver key and version time, None when not usable.

    `reaches` is the last day that the line speaks of: that of an event, for a balance the day that it closes. A line
    without a time of its own speaks of none.
    """

    source: str
    row_time: datetime
    source_time: datetime | None
    reaches: date | None
    key: Hashable | None
    is_bad: bool


@dataclass(frozen=True, kw_only=True)
class DqException:
    """One metric of a window that passed a limit."""

    date_kst: date
    exception_type: str
    severity: str
    source_table: str
    window_start_ts: datetime
    window_end_ts: datetime
    metric: str
    metric_value: Decimal
    message: str
    rule_id: str


@dataclass(frozen=True, kw_only=True)
class DqStatus:
    """Figures of one source and window."""

    source_table: str
    window_start_ts: datetime
    window_end_ts: datetime
    date_kst: date
    freshness_sec: int | None
    event_count: int
    dup_rate: Decimal
    bad_records_rate: Decimal
    dq_tag: str | None
    severity: str | None
    rule_id: str | None
    window_kind: str
    zero_windows: int


def guard_rows(tables: SilverTables) -> list[GuardRow]:
    """Rows of the guarded sources; withdrawn batches are not among the judged lines."""
    return [guard_row(judged) for judged in tables.judged if f"bronze.{judged.row.table}" in SOURCES]


def guard_row(checked: Judged) -> GuardRow:
    """One line as the guardrail sees it."""
    row = checked.row
    source = f"bronze.{row.table}"
    reaches: date | None = None
    version: datetime | None = None
    key: tuple[str | None, ...] = (None,)
    if not row.malformed:
        is_wallet = source == WALLETS
        version = snapshot_instant(row) if is_wallet else entry_version(row)
        if checked.source_time and not (is_wallet and checked.source_time == row.ingested_at):
            reaches = day_closed_by(checked.source_time) if is_wallet else kst_day(checked.source_time)
        key = key_parts(row, source)
    usable = version is not None and None not in key
    # A payment order that moves on (PENDING, then PAID) is no duplicate, so its status belongs to the key.
    status = row.text("status") if source == ORDERS else None
    return GuardRow(
        source=source,
        row_time=checked.row_time,
        source_time=checked.source_time,
        reaches=reaches,
        key=(key, version, status) if usable else None,
        is_bad=checked.reason is not None,
    )


def key_parts(row: BronzeRow, source: str) -> tuple[str | None, ...]:
    """Parts of the Silver key."""
    columns = {LEDGER: ("tx_id", "wallet_id"), WALLETS: ("user_id",), ORDERS: ("order_id",)}
    return tuple(row.text(column) for column in columns[source])


def called_for(rows: Iterable[GuardRow], watched_to: date | None = None) -> tuple[date, date] | None:
    """First and last KST day that get day rows without being named; the last one may still be open.

    From the day of the earliest source time to the last day that a line reaches, or to `watched_to`, the last day that
    was over when a run watched.
    """
    known_rows = list(rows)
    times = [row.source_time for row in known_rows if row.source_time is not None]
    lasts = [row.reaches for row in known_rows if row.reaches is not None]
    lasts += [] if watched_to is None else [watched_to]
    return (kst_day(min(times)), max(lasts)) if times and lasts else None


def day_rows(
    rows: Iterable[GuardRow],
    rules: Rules,
    as_of: datetime,
    named: Iterable[date] = (),
    watched_to: date | None = None,
) -> tuple[list[DqStatus], list[DqException]]:
    """Day rows of all three sources, for every closed KST day that is called for and for `named` days."""
    known_rows = list(rows)
    days = set(named)
    if limits := called_for(known_rows, watched_to):
        days |= set(day_range(limits[0], min(limits[1], kst_day(as_utc(as_of) - ONE_DAY))))
    statuses, exceptions = [], []
    for day in sorted(days):
        for source in SOURCES:
            status, found = evaluate(known_rows, source, (day_start(day), day_end(day)), "day", rules, as_of)
            statuses.append(status)
            exceptions += found
    return statuses, exceptions


def evaluate(
    rows: Iterable[GuardRow], source: str, window: tuple[datetime, datetime], kind: str, rules: Rules, as_of: datetime
) -> tuple[DqStatus, list[DqException]]:
    """Figures and exceptions of one source and window [start, end); `kind` is day or tile."""
    start, end = window
    of_source = [row for row in rows if row.source == source]
    inside = [row for row in of_source if start <= row.row_time < end]
    times = [row.source_time for row in of_source if row.source_time is not None and row.source_time < end]
    newest = max(times, default=None)
    freshness = None if newest is None else (min(as_utc(as_of), end) - newest) // timedelta(seconds=1)
    zero_windows = (end - (newest or start)) // (end - start)
    keys = [row.key for row in inside if row.key is not None]
    dup_rate = Fraction(len(keys) - len(set(keys)), len(keys)) if keys else Fraction(0)
    bad_rate = Fraction(sum(row.is_bad for row in inside), len(inside)) if inside else Fraction(0)

    suffix = "_day" if kind == "day" else ""
    # In the order of precedence of the tags.
    metrics: list[tuple[str, str, Fraction | None]] = [
        ("SOURCE_STALE", f"freshness_sec{suffix}", None if freshness is None else Fraction(freshness)),
        ("DUP_SUSPECTED", DUP_METRICS[source], dup_rate),
        ("EVENT_DROP_SUSPECTED", f"completeness_zero_windows{suffix}", Fraction(zero_windows)),
        ("CONTRACT_VIOLATION", "contract_bad_records_rate", bad_rate),
    ]
    found = []
    for tag, metric, value in metrics:
        rule = rules.on_day("dq", metric, kst_day(start), source)
        severity = judged_severity(rule, value)
        if rule is None or value is None or severity is None:
            continue
        found.append(
            DqException(
                date_kst=kst_day(start),
                exception_type=tag,
                severity=severity,
                source_table=source,
                window_start_ts=start,
                window_end_ts=end,
                metric=metric,
                metric_value=scaled(value),
                message=json.dumps({"metric": metric, "value": int(value) if value.denominator == 1 else float(value)}),
                rule_id=rule.rule_id,
            )
        )
    first = found[0] if found else None
    status = DqStatus(
        source_table=source,
        window_start_ts=start,
        window_end_ts=end,
        date_kst=kst_day(start),
        freshness_sec=freshness,
        event_count=len(inside),
        dup_rate=scaled(dup_rate),
        bad_records_rate=scaled(bad_rate),
        dq_tag=first.exception_type if first else None,
        severity=first.severity if first else None,
        rule_id=first.rule_id if first else None,
        window_kind=kind,
        zero_windows=zero_windows,
    )
    return status, found


def judged_severity(rule: Rule | None, value: Fraction | None) -> str | None:
    """Severity of an exact figure; a figure that is NULL or has no rule raises nothing."""
    if rule is None or value is None:
        return None
    return rule.severity(value, inclusive=True)
