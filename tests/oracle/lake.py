"""Expected content of every Silver and Gold table after a run from scratch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Any, TypeAlias

from .analytics import dropped, fact
from .bronze import Batch
from .clock import as_utc, day_closed_by, day_range, kst_day
from .controls import (
    admin_index,
    control_exceptions,
    day_tags,
    pairing_quality,
    payment_failure,
    payment_refund,
    recon,
    supply,
)
from .guardrail import day_rows, guard_rows
from .rules import Record, parse_entry_types, parse_rules
from .silver import SilverTables, silver

TableRow: TypeAlias = dict[str, Any]


def expected(
    batches: Iterable[Batch],
    rules: Iterable[Record],
    entry_types: Iterable[Record],
    as_of: datetime,
    days: Iterable[date] | None = None,
    salt: str = "local-salt-v1",
    *,
    analytics_days: Iterable[date] | None = None,
    guarded_days: Iterable[date] | None = None,
    watched_to: date | None = None,
) -> dict[str, list[TableRow]]:
    """Table name to rows with exactly the columns that the loads, rules and days determine.

    Instants are naive UTC datetimes, money and rates are decimals at the scale of the column. `rules` and
    `entry_types` are seed records. `days` are the KST days of controls and analytics, by default every closed
    one from the first to the last Silver date; named days get day rows of the guardrail in any case. Where the
    pipelines were asked for different days, `days` are those of the controls and `analytics_days` and `guarded_days`
    (beyond the days that get day rows anyhow, of which `watched_to` may be the last) those of the others. The bad-rate
    gate is not applied (see `silver.gate_breaches`). `gold.exception_ledger` holds the open exceptions of the day rows
    and of the controls.
    """
    rule_versions, types = parse_rules(rules), parse_entry_types(entry_types)
    tables = silver(batches, rule_versions, types, as_of)
    chosen = closed_silver_days(tables, as_of) if days is None else sorted(set(days))
    analyzed = chosen if analytics_days is None else sorted(set(analytics_days))
    named = (() if days is None else chosen) if guarded_days is None else guarded_days
    statuses, dq_exceptions = day_rows(guard_rows(tables), rule_versions, as_of, named, watched_to)
    tags = day_tags(statuses)
    recon_rows = recon(tables, rule_versions, chosen, tags)
    supply_rows = supply(tables, rule_versions, types, chosen, tags)
    open_exceptions = [row_of(exception, domain="dq", subject=None) for exception in dq_exceptions]
    open_exceptions += [
        row_of(exception, domain="ledger", source_table=None, window_start_ts=None, window_end_ts=None)
        for exception in control_exceptions(recon_rows, supply_rows)
    ]
    return {
        "silver.wallet_snapshot": rows_of(tables.wallet_snapshot.values()),
        "silver.ledger_entries": rows_of(tables.ledger_entries.values()),
        "silver.order_events": rows_of(tables.order_events.values()),
        "silver.order_items": rows_of(tables.order_items.values()),
        "silver.products": rows_of(tables.products.values()),
        "silver.bad_records": [
            {
                "source_table": bad_row.table,
                "reason": bad_row.reason,
                "record_json": bad_row.raw,
                "bronze_table": f"bronze.{bad_row.bronze_table}",
            }
            for bad_row in tables.bad_rows
        ],
        "silver.dq_status": rows_of(statuses),
        "gold.recon_daily_snapshot_flow": rows_of(recon_rows),
        "gold.ledger_supply_balance_daily": rows_of(supply_rows),
        "gold.ops_payment_failure_daily": rows_of(payment_failure(tables, rule_versions, chosen)),
        "gold.ops_payment_refund_daily": rows_of(payment_refund(tables, rule_versions, chosen)),
        "gold.ops_ledger_pairing_quality_daily": rows_of(pairing_quality(tables, types, chosen)),
        "gold.admin_tx_search": rows_of(admin_index(tables, types, chosen)),
        "gold.fact_payment_anonymized": rows_of(fact(tables, rule_versions, analyzed, salt)),
        "gold.fact_payment_dropped_daily": rows_of(dropped(tables, analyzed)),
        "gold.exception_ledger": open_exceptions,
    }


def silver_limits(tables: SilverTables) -> tuple[date, date] | None:
    """First date of Silver and last day that its rows reach: of entries and orders their date, of balances the day that
    they close.
    """
    dates = {entry.event_date_kst for entry in tables.ledger_entries.values()}
    dates |= {order.event_date_kst for order in tables.order_events.values()}
    firsts = dates | {snapshot.snapshot_date_kst for snapshot in tables.wallet_snapshot.values()}
    lasts = dates | {day_closed_by(snapshot.snapshot_ts) for snapshot in tables.wallet_snapshot.values()}
    return (min(firsts), max(lasts)) if firsts else None


def closed_silver_days(tables: SilverTables, as_of: datetime) -> Sequence[date]:
    """Every closed KST day of these limits."""
    limits = silver_limits(tables)
    today = kst_day(as_utc(as_of))
    return [day for day in day_range(*limits) if day < today] if limits else []


def rows_of(items: Iterable[object]) -> list[TableRow]:
    """Dataclasses as table rows."""
    return [row_of(item) for item in items]


def row_of(item: Any, **constants: object) -> TableRow:
    """One dataclass, and columns that are the same for all of its kind, as a table row."""
    columns: Mapping[str, object] = {field.name: getattr(item, field.name) for field in fields(item)} | constants
    return {
        name: value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
        for name, value in columns.items()
    }
