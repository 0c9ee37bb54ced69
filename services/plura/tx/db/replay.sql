-- Statements that replay bad events.

-- name: dead_letters
select
    dlq_id, ingested_at, topic, payload, key, header_names, header_values, partition, "offset", file_digest, line
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

-- name: mark_replayed
update bo.consumer_dlq_events set replayed_at = now() where dlq_id = any(%(ids)s) and replayed_at is null
