"""Monthly retention of the two tables that only grow: silver.bad_records and silver.dq_status."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from python_jobs.instants import kst_day, utc_naive
from python_jobs.report import DuckDBReader, Reader
from python_jobs.warehouse import LakeError

if TYPE_CHECKING:
    import duckdb

BAD_RECORDS_DAYS = 180
DQ_STATUS_DAYS = 400

OLD_BAD_RECORDS = "detected_date_kst < $first_kept"
"""Condition of the rows of silver.bad_records that are past their retention."""

# the current day row of a tagged day suppresses the verdicts of that day: it stays
OLD_DQ_STATUS = """
    date_kst < $first_kept and status_id not in (
        select max_by(status_id, evaluation) from silver.dq_status
        where window_kind = 'day' group by source_table, window_start_ts
        having max_by(coalesce(dq_tag, ''), evaluation) <> ''  -- without coalesce the newest tag that is not NULL
    )
"""
"""Condition of the rows of silver.dq_status that are past their retention."""


@dataclass(frozen=True, kw_only=True)
class RetentionReport:
    """Rows that are (or, in a dry run, would be) removed, and the first KST day that is kept."""

    bad_records: int
    bad_records_from: date
    dq_status: int
    dq_status_from: date


def past_retention(reader: Reader, *, now: datetime, bad_records_days: int, dq_status_days: int) -> RetentionReport:
    """Count the rows past their retention; days are counted back from the KST day of ``now``.

    Raises:
        LakeError: the pipelines have never run on this warehouse.
    """
    if not all(reader.has_table("silver", table) for table in ("bad_records", "dq_status")):
        raise LakeError("there is nothing to remove: the pipelines have never run on this warehouse (plura lake run)")
    today = kst_day(now)
    bad_records_from = today - timedelta(days=bad_records_days)
    dq_status_from = today - timedelta(days=dq_status_days)
    return RetentionReport(
        bad_records=_count(reader, "silver.bad_records", OLD_BAD_RECORDS, bad_records_from),
        bad_records_from=bad_records_from,
        dq_status=_count(reader, "silver.dq_status", OLD_DQ_STATUS, dq_status_from),
        dq_status_from=dq_status_from,
    )


def retention(
    connection: duckdb.DuckDBPyConnection,
    *,
    now: datetime,
    apply: bool,
    bad_records_days: int = BAD_RECORDS_DAYS,
    dq_status_days: int = DQ_STATUS_DAYS,
) -> RetentionReport:
    """Count the rows past their retention and, with ``apply``, remove them in one transaction.

    Ids of removed bad records are remembered in silver.bad_records_purged, so that no later run brings them back.

    Args:
        connection: the warehouse.
        now: instant of the job, aware; days are counted back from its KST day.
        apply: remove the rows; otherwise only count them.
        bad_records_days: days of silver.bad_records to keep, by detected_date_kst.
        dq_status_days: days of silver.dq_status to keep, by date_kst.

    Raises:
        LakeError: the pipelines have never run on this warehouse.
    """
    found = past_retention(
        DuckDBReader(connection), now=now, bad_records_days=bad_records_days, dq_status_days=dq_status_days
    )
    if apply:
        bad_records, dq_status = {"first_kept": found.bad_records_from}, {"first_kept": found.dq_status_from}
        connection.begin()
        connection.execute(
            "insert into silver.bad_records_purged (record_id, purged_at)"
            f" select record_id, $now from silver.bad_records where {OLD_BAD_RECORDS}",
            bad_records | {"now": utc_naive(now)},
        )
        connection.execute(f"delete from silver.bad_records where {OLD_BAD_RECORDS}", bad_records)
        connection.execute(f"delete from silver.dq_status where {OLD_DQ_STATUS}", dq_status)
        connection.commit()
    return found


def _count(reader: Reader, table: str, condition: str, first_kept: date) -> int:
    (row,) = reader.rows(f"select count(*) as past from {table} where {condition}", first_kept=first_kept)
    return int(row["past"])
