-- Statements of the consumer besides its batches.

-- name: keep_state
-- The consumer measures ages; times are computed here, so that all of them come from the clock of this server.
insert into bo.consumer_state (
    group_id, topic, partition, member, position, end_offset, oldest_uncommitted_at, polled_at
) values (
    %(group_id)s, %(topic)s, %(partition)s, %(member)s, %(position)s, %(end_offset)s,
    clock_timestamp() - make_interval(secs => %(waiting_seconds)s),
    clock_timestamp() - make_interval(secs => %(asked_seconds)s)
)
on conflict (group_id, topic, partition) do update set
    member = excluded.member,
    position = excluded.position,
    end_offset = excluded.end_offset,
    oldest_uncommitted_at = excluded.oldest_uncommitted_at,
    polled_at = excluded.polled_at

-- name: add_partition
-- A partition that nobody has read yet: if nobody reads it, its age grows from now on.
insert into bo.consumer_state (group_id, topic, partition, member, position, end_offset, polled_at)
values (%(group_id)s, %(topic)s, %(partition)s, %(member)s, null, %(end_offset)s, clock_timestamp())
on conflict do nothing

-- name: end_partitions
-- Partitions that a recreated topic no longer has: their messages can never be stored.
update bo.consumer_state
set position = end_offset, oldest_uncommitted_at = null, polled_at = clock_timestamp()
where group_id = %(group_id)s and topic = %(topic)s and partition >= %(partitions)s

-- name: unread_partitions
select topic, partition from bo.consumer_state
where group_id = %(group_id)s and position is null and polled_at < clock_timestamp() - interval '30 seconds'

-- name: stored_state
select
    topic, partition, position, end_offset,
    extract(epoch from clock_timestamp() - oldest_uncommitted_at)::float8 as waiting_seconds,
    extract(epoch from clock_timestamp() - polled_at)::float8 as asked_seconds
from bo.consumer_state
where group_id = %(group_id)s

-- name: clock
select extract(epoch from clock_timestamp())::float8

-- name: remove_old_dead_letters
-- A few thousand at a time, so that no lock is held for long.
delete from bo.consumer_dlq_events
where dlq_id in (
    select dlq_id from bo.consumer_dlq_events
    where ingested_at < now() - make_interval(days => %(days)s)
    order by ingested_at
    limit 5000
)
