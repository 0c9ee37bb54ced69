-- Statements that store a batch of events, all in one transaction.

-- name: create_staging
create temporary table if not exists incoming_ledger_entries (
    tx_id text collate "C",
    wallet_id text collate "C",
    entry_type text collate "C",
    amount numeric(18, 2),
    amount_signed numeric(18, 2),
    related_id text collate "C",
    related_type text collate "C",
    event_time timestamptz,
    created_at timestamptz,
    updated_at timestamptz,
    source_version bigint,
    row_digest bytea
) on commit delete rows;
create temporary table if not exists incoming_payment_orders (
    order_id text collate "C",
    user_id text collate "C",
    merchant_name text,
    amount numeric(18, 2),
    status text collate "C",
    created_at timestamptz,
    updated_at timestamptz,
    source_version bigint,
    row_digest bytea
) on commit delete rows;
create temporary table if not exists touched_orders (order_id text collate "C") on commit delete rows;

-- name: copy_ledger
copy incoming_ledger_entries from stdin

-- name: copy_payment_order
copy incoming_payment_orders from stdin

-- name: upsert_ledger
-- Keys are written in order, so that two batches with common keys wait for each other instead of deadlocking. An entry
-- that moves to a different order leaves the id of the old order in left_related_id; its pair has to be recomputed.
with changed as (
    insert into bo.ledger_entries as stored (
        tx_id, wallet_id, entry_type, amount, amount_signed, related_id, related_type,
        event_time, created_at, updated_at, source_version, row_digest
    )
    select
        tx_id, wallet_id, entry_type, amount, amount_signed, related_id, related_type,
        event_time, created_at, updated_at, source_version, row_digest
    from incoming_ledger_entries
    order by tx_id
    on conflict (tx_id) do update set
        wallet_id = excluded.wallet_id,
        entry_type = excluded.entry_type,
        amount = excluded.amount,
        amount_signed = excluded.amount_signed,
        related_id = excluded.related_id,
        related_type = excluded.related_type,
        event_time = excluded.event_time,
        created_at = excluded.created_at,
        updated_at = excluded.updated_at,
        ingested_at = now(),
        source_version = excluded.source_version,
        row_digest = excluded.row_digest,
        left_related_id = nullif(stored.related_id, excluded.related_id)
    where
        (
            excluded.updated_at is not null, coalesce(excluded.updated_at, '-infinity'),
            excluded.source_version is not null, coalesce(excluded.source_version, 0), excluded.row_digest
        ) > (
            stored.updated_at is not null, coalesce(stored.updated_at, '-infinity'),
            stored.source_version is not null, coalesce(stored.source_version, 0), stored.row_digest
        )
    returning related_id, left_related_id
),

touched as (
    insert into touched_orders (order_id)
    select related_id from changed where related_id <> ''
    union
    select left_related_id from changed where left_related_id <> ''
)

select count(*) from changed

-- name: upsert_payment_order
with changed as (
    insert into bo.payment_orders as stored (
        order_id, user_id, merchant_name, amount, status, created_at, updated_at, source_version, row_digest
    )
    select order_id, user_id, merchant_name, amount, status, created_at, updated_at, source_version, row_digest
    from incoming_payment_orders
    order by order_id
    on conflict (order_id) do update set
        user_id = excluded.user_id,
        merchant_name = excluded.merchant_name,
        amount = excluded.amount,
        status = excluded.status,
        created_at = excluded.created_at,
        updated_at = excluded.updated_at,
        ingested_at = now(),
        source_version = excluded.source_version,
        row_digest = excluded.row_digest
    where
        (
            excluded.updated_at is not null, coalesce(excluded.updated_at, '-infinity'),
            excluded.source_version is not null, coalesce(excluded.source_version, 0), excluded.row_digest
        ) > (
            stored.updated_at is not null, coalesce(stored.updated_at, '-infinity'),
            stored.source_version is not null, coalesce(stored.source_version, 0), stored.row_digest
        )
    returning order_id
),

touched as (
    insert into touched_orders (order_id) select order_id from changed
)

select count(*) from changed

-- name: count_less_information_ledger
select count(*)
from incoming_ledger_entries as incoming
inner join bo.ledger_entries as stored on incoming.tx_id = stored.tx_id
where
    (incoming.updated_at is null and stored.updated_at is not null)
    or (
        incoming.updated_at is not distinct from stored.updated_at
        and incoming.source_version is null and stored.source_version is not null
    )

-- name: count_less_information_payment_order
select count(*)
from incoming_payment_orders as incoming
inner join bo.payment_orders as stored on incoming.order_id = stored.order_id
where
    (incoming.updated_at is null and stored.updated_at is not null)
    or (
        incoming.updated_at is not distinct from stored.updated_at
        and incoming.source_version is null and stored.source_version is not null
    )

-- name: lock_touched_orders
-- The computation of a pair has to see all committed writes about its order, so batches that touch the same order take
-- turns from here to their commit. Locks are taken for groups of orders, sorted by group: a batch of any size holds at
-- most 256 locks, so that the server's lock table cannot run out.
select pg_advisory_xact_lock(%(space)s, groups.number)
from (select distinct hashtextextended(order_id, 0)::bit(8)::integer as number from touched_orders order by 1) as groups

-- name: pair_touched_orders
-- "offset 0" keeps the planner from joining whole tables: the plan is made once, often while they are nearly empty, and
-- has to work when they are large. The plan left is one index lookup per touched order.
with touched as (
    select distinct order_id from touched_orders
),

entries as (
    select
        touched.order_id,
        entry.entry_type,
        entry.tx_id,
        entry.wallet_id,
        entry.amount,
        entry.event_time,
        coalesce(entry.updated_at, entry.event_time) as updated_at
    from touched
    cross join lateral (
        select entry_type, tx_id, wallet_id, amount, event_time, updated_at
        from bo.ledger_entries
        where related_id = touched.order_id and coalesce(related_type, '') in ('', 'PAYMENT_ORDER')
        offset 0
    ) as entry
),

last_changes as (
    select order_id, max(event_time) as event_time, max(updated_at) as updated_at
    from entries
    group by order_id
),

-- of several candidates the one that bo.traced_entries (migration 0003) shows for an order without a pair
sides as (
    select distinct on (order_id, entry_type) order_id, entry_type, tx_id, wallet_id, amount
    from entries
    where entry_type in ('PAYMENT', 'RECEIVE')
    order by order_id, entry_type, event_time desc, tx_id
),

computed as (
    select
        last_changes.order_id,
        payment.tx_id as payment_tx_id,
        receive.tx_id as receive_tx_id,
        payment.wallet_id as payer_wallet_id,
        receive.wallet_id as payee_wallet_id,
        case when orders.order_id is null then coalesce(payment.amount, receive.amount) else orders.amount end as amount,
        orders.status,
        last_changes.event_time,
        greatest(last_changes.updated_at, coalesce(orders.updated_at, orders.created_at)) as updated_at
    from last_changes
    left join sides as payment on last_changes.order_id = payment.order_id and payment.entry_type = 'PAYMENT'
    left join sides as receive on last_changes.order_id = receive.order_id and receive.entry_type = 'RECEIVE'
    left join lateral (
        select order_id, amount, status, created_at, updated_at
        from bo.payment_orders
        where order_id = last_changes.order_id
        offset 0
    ) as orders on true
),

written as (
    insert into bo.payment_ledger_pairs as stored (
        payment_order_id, payment_tx_id, receive_tx_id, payer_wallet_id, payee_wallet_id,
        amount, status, event_time, updated_at
    )
    select
        order_id, payment_tx_id, receive_tx_id, payer_wallet_id, payee_wallet_id,
        amount, status, event_time, updated_at
    from computed
    order by order_id
    on conflict (payment_order_id) do update set
        payment_tx_id = excluded.payment_tx_id,
        receive_tx_id = excluded.receive_tx_id,
        payer_wallet_id = excluded.payer_wallet_id,
        payee_wallet_id = excluded.payee_wallet_id,
        amount = excluded.amount,
        status = excluded.status,
        event_time = excluded.event_time,
        updated_at = excluded.updated_at,
        ingested_at = now()
    where
        (
            stored.payment_tx_id, stored.receive_tx_id, stored.payer_wallet_id, stored.payee_wallet_id,
            stored.amount, stored.status, stored.event_time, stored.updated_at
        ) is distinct from (
            excluded.payment_tx_id, excluded.receive_tx_id, excluded.payer_wallet_id, excluded.payee_wallet_id,
            excluded.amount, excluded.status, excluded.event_time, excluded.updated_at
        )
),

removed as (
    delete from bo.payment_ledger_pairs
    where payment_order_id = any(array(select order_id from touched except select order_id from computed))
)

select
    count(*) as pairs,
    coalesce(
        array_agg(greatest(0, extract(epoch from now() - event_time))::double precision)
            filter (where payment_tx_id is null or receive_tx_id is null),
        '{}'
    ) as incomplete_ages
from computed

-- name: put_aside
insert into bo.consumer_dlq_events (
    topic, partition, "offset", file_digest, line, key, header_names, header_values, payload, payload_digest,
    error, error_detail, profile_id, correlation_id
) values (
    %(topic)s, %(partition)s, %(offset)s, %(file_digest)s, %(line)s, %(key)s, %(header_names)s, %(header_values)s,
    %(payload)s, %(payload_digest)s, %(error)s, %(error_detail)s, %(profile_id)s, %(correlation_id)s
)
on conflict do nothing
