"""The controls of one KST day, read from Gold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from python_jobs.warehouse import LakeError

if TYPE_CHECKING:
    import duckdb

Rows = list[dict[str, Any]]

_PIPELINE_NAMES = {"pipeline_a": "guardrail", "pipeline_b": "controls", "pipeline_c": "analytics"}

LISTED = 10
"""Rows of a list that the report shows; the counts beside it are complete."""


@dataclass(frozen=True, kw_only=True)
class DayReport:
    """What the controls say about a day; each field is a list of rows by column name."""

    day: date
    pipelines: Rows
    supply: Rows
    recon: Rows
    drifts: Rows
    payments: Rows
    pairing: Rows
    fact: Rows
    quality: Rows
    exceptions: Rows
    exception_count: int
    exceptions_elsewhere: int
    quarantine: Rows


_QUERIES = {
    "pipelines": """
        select
            s.pipeline_name, s.status, s.last_success_ts, s.last_processed_end, s.last_run_id, d.run_id as day_run_id
        from gold.pipeline_state as s
        left join gold.pipeline_day as d on s.pipeline_name = d.pipeline_name and d.date_kst = $1
        order by array_position(['pipeline_a', 'pipeline_silver', 'pipeline_b', 'pipeline_c'], s.pipeline_name)
    """,
    "supply": """
        select
            issued_supply, wallet_total_balance, diff_amount, verdict, dq_tag, stale_wallet_count, max_snapshot_age_sec
        from gold.ledger_supply_balance_daily where date_kst = $1
    """,
    "recon": """
        select verdict, coverage, count(*) as wallets, sum(drift_abs) as drift_abs
        from gold.recon_daily_snapshot_flow where date_kst = $1
        group by verdict, coverage order by verdict, coverage
    """,
    "drifts": f"""
        select user_id, delta_balance_total, net_flow_total, drift_abs, coverage, severity
        from gold.recon_daily_snapshot_flow where date_kst = $1 and verdict = 'DRIFT'
        order by drift_abs desc, user_id limit {LISTED}
    """,
    "payments": f"""
        select f.merchant_name, f.total_cnt, f.failed_cnt, f.failure_rate, r.refunded_cnt, r.refund_rate
        from gold.ops_payment_failure_daily as f
        left join gold.ops_payment_refund_daily as r
            on f.date_kst = r.date_kst and f.merchant_name is not distinct from r.merchant_name
        where f.date_kst = $1 order by f.total_cnt desc, f.merchant_name limit {LISTED}
    """,
    "pairing": """
        select entry_cnt, related_id_null_rate, pair_candidate_rate, join_payment_orders_rate
        from gold.ops_ledger_pairing_quality_daily where date_kst = $1
    """,
    "fact": """
        select
            (select count(*) from gold.fact_payment_anonymized where date_kst = $1) as payments,
            (
                select count(*) from gold.fact_payment_anonymized where date_kst = $1 and category is null
            ) as without_category,
            (select coalesce(sum(dropped_cnt), 0) from gold.fact_payment_dropped_daily where date_kst = $1) as dropped
    """,
    "quality": """
        select source_table, event_count, freshness_sec, dup_rate, bad_records_rate, zero_windows, dq_tag, severity
        from silver.dq_status where date_kst = $1 and window_kind = 'day'
        qualify row_number() over (partition by source_table order by evaluation desc) = 1
        order by source_table
    """,
    "exceptions": f"""
        select
            severity, domain, exception_type, source_table, metric, metric_value, subject,
            window_start_ts, window_end_ts
        from gold.exception_ledger where date_kst = $1 and resolved_at is null
        order by severity, domain, exception_type, metric_value desc, subject limit {LISTED}
    """,
    "quarantine": """
        select
            source_table, reason, count(*) as records,
            min(source_file) as first_file, min_by(line_number, source_file) as first_line
        from silver.bad_records as bad
        where bad.detected_date_kst >= $1
            and bad.batch_id not in (select batch_id from bronze.load_registry where status = 'withdrawn')
        group by source_table, reason order by source_table, reason
    """,
}


def latest_day(connection: duckdb.DuckDBPyConnection) -> date:
    """Return the latest KST day that any pipeline has computed.

    Raises:
        LakeError: no day has been computed.
    """
    row = connection.execute(
        "select max(date_kst) from gold.pipeline_day where pipeline_name <> 'pipeline_a'"
    ).fetchone()
    if row is None or row[0] is None:
        failed = connection.execute(
            "select pipeline_name, last_run_id from gold.pipeline_state where status = 'failure' order by pipeline_name"
        ).fetchall()
        why = "".join(f"; {_PIPELINE_NAMES.get(name, 'silver')} failed in run {run}" for name, run in failed)
        raise LakeError(f"no day has been computed yet{why}: plura lake run")
    day: date = row[0]
    return day


def run_summary(connection: duckdb.DuckDBPyConnection, run_id: str) -> list[str]:
    """Say in lines of text what a run wrote: the days each pipeline computed, exceptions opened and resolved."""
    if not _has_run(connection):
        return []
    days = connection.execute(
        "select pipeline_name, count(*), min(date_kst), max(date_kst) from gold.pipeline_day where run_id = $1"
        " group by pipeline_name order by pipeline_name",
        [run_id],
    ).fetchall()
    opened = connection.execute(
        "select exception_type, count(*), count(distinct date_kst) from gold.exception_ledger"
        " where run_id = $1 and generated_at = updated_at and resolved_at is null"
        " group by exception_type order by count(*) desc, exception_type",
        [run_id],
    ).fetchall()
    resolved = connection.execute(
        "select count(*) from gold.exception_ledger where run_id = $1 and resolved_at = updated_at", [run_id]
    ).fetchone()
    assert resolved is not None
    lines = [
        f"{_PIPELINE_NAMES[name]}: {count:,} {'day' if count == 1 else 'days'} computed, {_span(first, last)}"
        for name, count, first, last in days
    ]
    lines += [
        f"exceptions opened: {count:,} {kind} on {days:,} {'day' if days == 1 else 'days'}"
        for kind, count, days in opened
    ]
    if resolved[0]:
        lines.append(f"exceptions resolved: {resolved[0]:,}")
    return lines or ["nothing was due: no day computed, no exception opened"]


def _span(first: date, last: date) -> str:
    return f"{first}" if first == last else f"{first} to {last}"


def _has_run(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the pipelines have made their tables."""
    row = connection.execute(
        "select count(*) from information_schema.tables where table_schema = 'gold' and table_name = 'pipeline_day'"
    ).fetchone()
    return bool(row and row[0])


def day_report(connection: duckdb.DuckDBPyConnection, day: date | None = None) -> DayReport:
    """Read the controls of a day, by default of the latest one computed.

    Raises:
        LakeError: the pipelines have never run on this warehouse, or not for that day.
    """
    if not _has_run(connection):
        raise LakeError("the pipelines have never run on this warehouse: plura lake run")
    day = day or latest_day(connection)
    computed = connection.execute("select count(*) from gold.pipeline_day where date_kst = $1", [day]).fetchone()
    if not computed or not computed[0]:
        raise LakeError(f"no pipeline has computed {day} yet: plura lake run --date {day}")
    rows = {name: _rows(connection, sql, day) for name, sql in _QUERIES.items()}
    count = connection.execute(
        "select count(*) filter (where date_kst = $1), count(*) filter (where date_kst <> $1)"
        " from gold.exception_ledger where resolved_at is null",
        [day],
    ).fetchone()
    assert count is not None
    return DayReport(day=day, exception_count=int(count[0]), exceptions_elsewhere=int(count[1]), **rows)


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, day: date) -> Rows:
    cursor = connection.execute(sql, [day]) if "$1" in sql else connection.execute(sql)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
