"""Monthly retention of the two tables that only grow: silver.bad_records and silver.dq_status."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from python_jobs.load.batches import utc_naive
from python_jobs.warehouse import LakeError

if TYPE_CHECKING:
    import duckdb

BAD_RECORDS_DAYS = 180
DQ_STATUS_DAYS = 400

KST = ZoneInfo("Asia/Seoul")

# the standing day row of a tagged day is what suppresses the verdicts of that day: it stays
_OLD_DQ_STATUS = """
    date_kst < $1 and status_id not in (
        select max_by(status_id, evaluation) from silver.dq_status
        where window_kind = 'day' group by source_table, window_start_ts
        having max_by(coalesce(dq_tag, ''), evaluation) <> ''  -- without coalesce the newest tag that is not NULL
    )
"""


@dataclass(frozen=True, kw_only=True)
class RetentionReport:
    """Rows that are (or, in a dry run, would be) removed, and the first KST day that is kept."""

    bad_records: int
    bad_records_from: date
    dq_status: int
    dq_status_from: date


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
    found = connection.execute("select count(*) from duckdb_tables() where schema_name = 'silver'").fetchall()
    if not found[0][0]:
        raise LakeError("there is nothing to remove: the pipelines have never run on this warehouse (plura lake run)")
    today = now.astimezone(KST).date()
    bad_records_from = today - timedelta(days=bad_records_days)
    dq_status_from = today - timedelta(days=dq_status_days)
    report = RetentionReport(
        bad_records=_count(connection, "silver.bad_records", "detected_date_kst < $1", bad_records_from),
        bad_records_from=bad_records_from,
        dq_status=_count(connection, "silver.dq_status", _OLD_DQ_STATUS, dq_status_from),
        dq_status_from=dq_status_from,
    )
    if apply:
        connection.begin()
        connection.execute(
            "insert into silver.bad_records_purged (record_id, purged_at)"
            " select record_id, $2 from silver.bad_records where detected_date_kst < $1",
            [bad_records_from, utc_naive(now)],
        )
        connection.execute("delete from silver.bad_records where detected_date_kst < $1", [bad_records_from])
        connection.execute(f"delete from silver.dq_status where {_OLD_DQ_STATUS}", [dq_status_from])
        connection.commit()
    return report


def _count(connection: duckdb.DuckDBPyConnection, table: str, condition: str, first_kept: date) -> int:
    row = connection.execute(f"select count(*) from {table} where {condition}", [first_kept]).fetchone()
    assert row is not None
    return int(row[0])
