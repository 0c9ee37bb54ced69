"""Retention on Delta Lake: the same rows as ``python_jobs.retention`` removes, one statement per table."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from python_jobs.retention import BAD_RECORDS_DAYS, DQ_STATUS_DAYS, KST, RetentionReport
from python_jobs.warehouse import LakeError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# the standing day row of a tagged day is what suppresses the verdicts of that day: it stays
_OLD_DQ_STATUS = """
    select status_id from silver.dq_status
    where date_kst < date '{first_kept}' and status_id not in (
        select max_by(status_id, evaluation) from silver.dq_status
        where window_kind = 'day' group by source_table, window_start_ts
        having max_by(coalesce(dq_tag, ''), evaluation) <> ''
    )
"""


def retention_on_spark(
    session: SparkSession,
    *,
    now: datetime,
    apply: bool,
    bad_records_days: int = BAD_RECORDS_DAYS,
    dq_status_days: int = DQ_STATUS_DAYS,
) -> RetentionReport:
    """Count the rows past their retention and, with ``apply``, remove them; see ``retention``.

    Ids are remembered before the records go, so that one killed in between is repeated.

    Raises:
        LakeError: the pipelines have never run on this warehouse.
    """
    if not session.catalog.tableExists("silver.dq_status"):
        raise LakeError("there is nothing to remove: the pipelines have never run on this warehouse (plura lake run)")
    today = now.astimezone(KST).date()
    bad_records_from = today - timedelta(days=bad_records_days)
    dq_status_from = today - timedelta(days=dq_status_days)
    old_bad = f"select record_id from silver.bad_records where detected_date_kst < date '{bad_records_from}'"
    old_status = _OLD_DQ_STATUS.format(first_kept=dq_status_from)
    report = RetentionReport(
        bad_records=session.sql(old_bad).count(),
        bad_records_from=bad_records_from,
        dq_status=session.sql(old_status).count(),
        dq_status_from=dq_status_from,
    )
    if apply:
        micros = int(now.timestamp()) * 1_000_000 + now.microsecond
        session.sql(
            "insert into silver.bad_records_purged (record_id, purged_at)"
            f" select old.record_id, timestamp_micros({micros}) from ({old_bad}) as old"
            " left anti join silver.bad_records_purged as purged on old.record_id = purged.record_id"
        )
        session.sql(f"delete from silver.bad_records where detected_date_kst < date '{bad_records_from}'")
        session.sql(
            f"merge into silver.dq_status as t using ({old_status}) as s on t.status_id = s.status_id"
            " when matched then delete"
        )
    return report
