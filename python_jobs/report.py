"""The controls of one KST day, read from Gold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

from python_jobs.pipeline_names import NAMES
from python_jobs.spark import bound
from python_jobs.warehouse import LakeError

if TYPE_CHECKING:
    import duckdb
    from pyspark.sql import SparkSession

Rows = list[dict[str, Any]]


class Reader(Protocol):
    """Reads a warehouse by queries that all engines understand."""

    def rows(self, sql: str, **values: Any) -> Rows:
        """Run a query with named parameters (``$day`` in the text, ``day=`` beside it)."""

    def has_table(self, schema: str, table: str) -> bool:
        """Whether the warehouse has the table."""


@dataclass(frozen=True)
class DuckDBReader:
    """Reads through a DuckDB connection."""

    connection: duckdb.DuckDBPyConnection

    def rows(self, sql: str, **values: Any) -> Rows:
        """Run a query with named parameters."""
        cursor = self.connection.execute(sql, values) if values else self.connection.execute(sql)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def has_table(self, schema: str, table: str) -> bool:
        """Whether the warehouse has the table."""
        return bool(
            self.rows(
                "select table_name from information_schema.tables where table_schema = $schema and table_name = $table",
                schema=schema,
                table=table,
            )
        )


@dataclass(frozen=True)
class SparkReader:
    """Reads through a Spark session."""

    session: SparkSession

    def rows(self, sql: str, **values: Any) -> Rows:
        """Run a query with named parameters, written into the text as literals."""
        return [row.asDict() for row in self.session.sql(bound(sql, values)).collect()]

    def has_table(self, schema: str, table: str) -> bool:
        """Whether the catalog has the table."""
        return bool(self.session.catalog.tableExists(f"{schema}.{table}"))


LISTED = 10
"""Rows of a list that the report shows unless all are wanted; the counts beside it are complete."""


@dataclass(frozen=True, kw_only=True)
class DayReport:
    """What the controls say about a day; each field is a list of rows by column name.

    ``drifts``, ``payments`` and ``exceptions`` may be cut: ``counts`` has how many there are in all. ``elsewhere`` has
    the open exceptions of other days, ``quarantine_elsewhere`` their rejected lines, one row per day.
    """

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
    elsewhere: Rows
    quarantine: Rows
    quarantine_elsewhere: Rows
    counts: dict[str, int]


_QUERIES = {
    "pipelines": """
        select
            s.pipeline_name, s.status, s.last_success_ts, s.last_processed_end, s.last_run_id, d.run_id as day_run_id
        from gold.pipeline_state as s
        left join gold.pipeline_day as d on s.pipeline_name = d.pipeline_name and d.date_kst = $day
        order by
            case s.pipeline_name
                when 'pipeline_a' then 1 when 'pipeline_silver' then 2 when 'pipeline_b' then 3 else 4
            end
    """,
    "supply": """
        select
            issued_supply, wallet_total_balance, diff_amount, verdict, dq_tag, stale_wallet_count, max_snapshot_age_sec,
            (
                select max(message) from gold.exception_ledger
                where date_kst = $day and exception_type = 'SUPPLY_MISMATCH' and resolved_at is null
            ) as mismatch
        from gold.ledger_supply_balance_daily where date_kst = $day
    """,
    "recon": """
        select verdict, coverage, count(*) as wallets, sum(drift_abs) as drift_abs
        from gold.recon_daily_snapshot_flow where date_kst = $day
        group by verdict, coverage order by verdict, coverage
    """,
    "drifts": """
        select user_id, delta_balance_total, net_flow_total, drift_abs, coverage, severity
        from gold.recon_daily_snapshot_flow where date_kst = $day and verdict = 'DRIFT'
        order by drift_abs desc, user_id
    """,
    "payments": """
        select f.merchant_name, f.total_cnt, f.failed_cnt, f.failure_rate, r.refunded_cnt, r.refund_rate
        from gold.ops_payment_failure_daily as f
        left join gold.ops_payment_refund_daily as r
            on f.date_kst = r.date_kst and f.merchant_name is not distinct from r.merchant_name
        where f.date_kst = $day order by f.total_cnt desc, f.merchant_name
    """,
    "pairing": """
        select entry_cnt, related_id_null_rate, pair_candidate_rate, join_payment_orders_rate
        from gold.ops_ledger_pairing_quality_daily where date_kst = $day
    """,
    "fact": """
        select
            (select count(*) from gold.fact_payment_anonymized where date_kst = $day) as payments,
            (
                select count(*) from gold.fact_payment_anonymized where date_kst = $day and category is null
            ) as without_category,
            (select coalesce(sum(dropped_cnt), 0) from gold.fact_payment_dropped_daily where date_kst = $day) as dropped
    """,
    "quality": """
        select source_table, event_count, freshness_sec, dup_rate, bad_records_rate, zero_windows, dq_tag, severity
        from (
            select *, row_number() over (partition by source_table order by evaluation desc) as newest
            from silver.dq_status where date_kst = $day and window_kind = 'day'
        ) as evaluations
        where newest = 1
        order by source_table
    """,
    "exceptions": """
        select
            severity, domain, exception_type, source_table, metric, metric_value, subject,
            window_start_ts, window_end_ts
        from gold.exception_ledger where date_kst = $day and resolved_at is null
        order by severity, domain, exception_type, metric_value desc, subject
    """,
    "elsewhere": """
        select date_kst, severity, count(*) as exceptions
        from gold.exception_ledger where date_kst <> $day and resolved_at is null
        group by date_kst, severity order by date_kst, severity
    """,
    "quarantine": """
        select
            source_table, reason, count(*) as records,
            min(source_file) as first_file, min_by(line_number, (source_file, line_number)) as first_line
        from silver.bad_records_open where date_kst = $day
        group by source_table, reason order by source_table, reason
    """,
    "quarantine_elsewhere": """
        select date_kst, count(*) as records from silver.bad_records_open where date_kst <> $day
        group by date_kst order by date_kst
    """,
}
_CUT = ("drifts", "payments", "exceptions")
"""Lists that can be long."""


def run_summary(reader: Reader, run_id: str) -> list[str]:
    """Say in lines of text what a run wrote and what failed: days computed, exceptions opened and resolved."""
    if not _has_run(reader):
        return []
    days = reader.rows(
        "select pipeline_name, count(*) as days, min(date_kst) as first_day, max(date_kst) as last_day"
        " from gold.pipeline_day where run_id = $run_id group by pipeline_name order by pipeline_name",
        run_id=run_id,
    )
    opened = reader.rows(
        "select exception_type, count(*) as opened, count(distinct date_kst) as days from gold.exception_ledger"
        " where run_id = $run_id and generated_at = updated_at and resolved_at is null"
        " group by exception_type order by opened desc, exception_type",
        run_id=run_id,
    )
    resolved = reader.rows(
        "select count(*) as resolved from gold.exception_ledger where run_id = $run_id and resolved_at = updated_at",
        run_id=run_id,
    )[0]["resolved"]
    failed = reader.rows(
        "select pipeline_name from gold.pipeline_state where status = 'failure' and last_run_id = $run_id",
        run_id=run_id,
    )
    names = [name for key, name in NAMES.items() if key in {row["pipeline_name"] for row in failed}]
    lines = [
        f"{NAMES[row['pipeline_name']]}: {_days(row['days'])} computed, {_span(row['first_day'], row['last_day'])}"
        for row in days
    ]
    lines += [f"exceptions opened: {row['opened']:,} {row['exception_type']} on {_days(row['days'])}" for row in opened]
    if resolved:
        lines.append(f"exceptions resolved: {resolved:,}")
    if names:
        lines.append(f"failed: {', '.join(names)} (whether days are due there is not known)")
    return lines or ["nothing was due: no day computed, no exception opened"]


def latest_day(reader: Reader) -> date:
    """Return the latest KST day that any pipeline has computed.

    Raises:
        LakeError: no day has been computed.
    """
    day: date | None = reader.rows(
        "select max(date_kst) as day from gold.pipeline_day where pipeline_name <> 'pipeline_a'"
    )[0]["day"]
    if day is None:
        failed = reader.rows(
            "select pipeline_name, last_run_id from gold.pipeline_state where status = 'failure' order by pipeline_name"
        )
        why = "".join(f"; {NAMES[row['pipeline_name']]} failed in run {row['last_run_id']}" for row in failed)
        raise LakeError(f"no day has been computed yet{why}: plura lake run")
    return day


def day_report(reader: Reader, day: date | None = None, *, listed: int | None = LISTED) -> DayReport:
    """Read the controls of a day, by default of the latest one computed; lists are cut at ``listed`` rows.

    Raises:
        LakeError: the pipelines have never run on this warehouse, or not for that day, or an older version ran last.
    """
    if not _has_run(reader):
        raise LakeError("the pipelines have never run on this warehouse: plura lake run")
    if not reader.has_table("silver", "bad_records_open"):
        raise LakeError("an older version wrote this warehouse: plura lake run brings it up to date")
    day = day or latest_day(reader)
    if not reader.rows("select date_kst from gold.pipeline_day where date_kst = $day limit 1", day=day):
        raise LakeError(f"no pipeline has computed {day} yet: plura lake run --date {day}")
    rows = {}
    counts = {}
    for name, sql in _QUERIES.items():
        is_cut = name in _CUT and listed is not None
        rows[name] = reader.rows(f"{sql} limit {listed}" if is_cut else sql, day=day)
        if name in _CUT:
            counts[name] = (
                reader.rows(f"select count(*) as found from ({sql}) as uncut", day=day)[0]["found"]
                if is_cut and len(rows[name]) == listed
                else len(rows[name])
            )
    return DayReport(day=day, counts=counts, **rows)


def _has_run(reader: Reader) -> bool:
    """Whether the pipelines have made their tables."""
    return reader.has_table("gold", "pipeline_day")


def _days(count: int) -> str:
    return f"{count:,} {'day' if count == 1 else 'days'}"


def _span(first: date, last: date) -> str:
    return f"{first}" if first == last else f"{first} to {last}"
