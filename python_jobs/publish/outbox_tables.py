"""Statements on gold.event_outbox, which is only read, and gold.event_delivery, the same for all engines."""

from __future__ import annotations

from datetime import datetime

from python_jobs.instants import utc_naive
from python_jobs.publish.events import OutboxEvent
from python_jobs.publish.outbox import OutboxCounts, RefusedEvent
from python_jobs.report import Reader
from python_jobs.warehouse import LakeError

OUTBOX, DELIVERY = "event_outbox", "event_delivery"

# the oldest event of each exception that waits, those that failed before last
HEADS = """
    select event_id, exception_key, event
    from gold.event_outbox
    inner join (
        select event_id, attempts
        from (
            select
                outbox.event_id,
                coalesce(delivery.attempts, 0) as attempts,
                delivery.last_attempt_at,
                row_number() over (partition by outbox.exception_id order by outbox.sequence) as place
            from gold.event_outbox as outbox
            left join gold.event_delivery as delivery on outbox.event_id = delivery.event_id
            where delivery.state is null or delivery.state = 'waiting'
        ) as waiting
        where place = 1 and (last_attempt_at is null or last_attempt_at < $tried_before)
    ) as heads using (event_id)
    order by heads.attempts, sequence
    limit $limit
"""

COUNTS = """
    select
        count(*) filter (where delivery.state is null or delivery.state = 'waiting') as waiting,
        count(*) filter (where delivery.state = 'refused') as refused
    from gold.event_outbox as outbox
    left join gold.event_delivery as delivery on outbox.event_id = delivery.event_id
"""

RECORD = """
    merge into gold.event_delivery as t
    using ({given}) as s
    on t.event_id = s.event_id
    when matched then update set
        state = s.state,
        attempts = t.attempts + s.attempts,
        last_attempt_at = s.last_attempt_at,
        last_error = s.last_error,
        delivered_at = case s.state when 'delivered' then s.last_attempt_at end
    when not matched then insert (event_id, state, attempts, last_attempt_at, last_error, delivered_at)
    values (
        s.event_id, s.state, s.attempts, s.last_attempt_at, s.last_error,
        case s.state when 'delivered' then s.last_attempt_at end
    )
"""

REFUSED = """
    select delivery.event_id, outbox.exception_id, delivery.last_error
    from gold.event_delivery as delivery
    inner join gold.event_outbox as outbox on delivery.event_id = outbox.event_id
    where delivery.state = 'refused'
    order by outbox.sequence
    limit $examples
"""

RETRY_REFUSED = "update gold.event_delivery set state = 'waiting' where state = 'refused'"
DISMISS = "update gold.event_delivery set state = 'dismissed' where state = 'refused' and event_id = $event_id"


def no_outbox() -> LakeError:
    """The error for a warehouse whose pipelines have not run."""
    return LakeError("there is no outbox in this warehouse yet: run the pipelines first (plura lake run)")


def require_outbox(reader: Reader) -> None:
    """See that both tables are there.

    Raises:
        LakeError: they are not.
    """
    if not all(reader.has_table("gold", table) for table in (OUTBOX, DELIVERY)):
        raise no_outbox()


def read_heads(reader: Reader, *, limit: int, tried_before: datetime) -> list[OutboxEvent]:
    """Read the oldest waiting event of each exception, those that failed before last (``Outbox.record_and_read``)."""
    rows = reader.rows(HEADS, tried_before=utc_naive(tried_before), limit=limit)
    return [
        OutboxEvent(event_id=row["event_id"], exception_key=row["exception_key"], body=row["event"]) for row in rows
    ]


def read_counts(reader: Reader, *, examples: int) -> OutboxCounts:
    """Count waiting and refused events."""
    (counts,) = reader.rows(COUNTS)
    rows = reader.rows(REFUSED, examples=examples)
    return OutboxCounts(
        waiting=counts["waiting"],
        refused=counts["refused"],
        examples=tuple(
            RefusedEvent(event_id=row["event_id"], exception_id=row["exception_id"], error=row["last_error"] or "")
            for row in rows
        ),
    )
