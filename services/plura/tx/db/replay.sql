-- Statements that replay bad events.

-- name: dead_letters
-- The next events, up to a total number of bytes, but at least one event.
with candidates as (
    select
        dlq_id,
        ingested_at,
        coalesce(octet_length(payload), 0) + coalesce(octet_length(key), 0)
        + (select coalesce(sum(octet_length(value)), 0) from unnest(header_values) as value) as size
    from bo.consumer_dlq_events
    where
        replayed_at is null
        and (ingested_at, dlq_id) > (%(after_time)s, %(after_id)s)
        and (%(topics)s::text [] is null or topic = any(%(topics)s))
        and (%(error)s::text is null or error = %(error)s)
        and ingested_at between %(since)s and %(until)s
        and dlq_id between %(min_id)s and %(max_id)s
    order by ingested_at, dlq_id
    limit %(limit)s
),

sums as (
    select
        dlq_id,
        sum(size) over (order by ingested_at, dlq_id) - size as before
    from candidates
)

select
    events.dlq_id, events.ingested_at, events.topic, events.payload, events.key, events.header_names,
    events.header_values, events.partition, events."offset", events.file_digest, events.line
from sums
inner join bo.consumer_dlq_events as events on sums.dlq_id = events.dlq_id
where sums.before < %(most_bytes)s
order by events.ingested_at, events.dlq_id

-- name: mark_replayed
update bo.consumer_dlq_events set replayed_at = now() where dlq_id = any(%(ids)s) and replayed_at is null
