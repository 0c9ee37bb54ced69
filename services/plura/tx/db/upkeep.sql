-- Statements of the consumer beside its batches.

-- name: keep_state
insert into bo.consumer_state (
    group_id, topic, partition, member, position, end_offset, oldest_uncommitted_at, polled_at
) values (
    %(group_id)s, %(topic)s, %(partition)s, %(member)s, %(position)s, %(end_offset)s, %(oldest_uncommitted_at)s,
    %(polled_at)s
)
on conflict (group_id, topic, partition) do update set
    member = excluded.member,
    position = excluded.position,
    end_offset = excluded.end_offset,
    oldest_uncommitted_at = excluded.oldest_uncommitted_at,
    polled_at = excluded.polled_at

-- name: remove_old_dead_letters
-- A few thousand at a time, so that no lock is held for long.
delete from bo.consumer_dlq_events
where dlq_id in (
    select dlq_id from bo.consumer_dlq_events
    where ingested_at < now() - make_interval(days => %(days)s)
    order by ingested_at
    limit 5000
)
