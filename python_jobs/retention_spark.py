"""Retention on Delta Lake: the same rows as ``python_jobs.retention`` removes, one statement per table."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from python_jobs.report import SparkReader
from python_jobs.retention import (
    BAD_RECORDS_DAYS,
    DQ_STATUS_DAYS,
    OLD_BAD_RECORDS,
    OLD_DQ_STATUS,
    RetentionReport,
    past_retention,
)
from python_jobs.spark import bound, retried, write

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


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
    found = past_retention(
        SparkReader(session), now=now, bad_records_days=bad_records_days, dq_status_days=dq_status_days
    )
    if apply:
        insert = bound(
            "insert into silver.bad_records_purged (record_id, purged_at)"
            " select old.record_id, $now"
            f" from (select record_id from silver.bad_records where {OLD_BAD_RECORDS}) as old"
            " left anti join silver.bad_records_purged as purged on old.record_id = purged.record_id",
            {"now": now, "first_kept": found.bad_records_from},
        )
        retried(lambda: session.sql(insert))
        write(session, f"delete from silver.bad_records where {OLD_BAD_RECORDS}", first_kept=found.bad_records_from)
        # Delta's DELETE takes no subquery
        write(
            session,
            "merge into silver.dq_status as t"
            f" using (select status_id from silver.dq_status where {OLD_DQ_STATUS}) as s"
            " on t.status_id = s.status_id when matched then delete",
            first_kept=found.dq_status_from,
        )
    return found
