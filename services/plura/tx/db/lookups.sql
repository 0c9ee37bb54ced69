-- Statements of the admin API. A lookup and its audit row are one statement: neither exists without the other. A lookup
-- in a session that was ended fails there. A page is read in two parts, the rows of the time where the last page ended
-- and those before it, so that both begin and end within one index, however many rows share a time. Statements include
-- the fragments below by their names in braces.

-- fragment: entry_columns
tx_id, event_time, entry_type, amount, amount_signed, wallet_id, related_id, related_type, updated_at, ingested_at,
order_id, order_status, merchant_name, has_pair, payment_tx_id, receive_tx_id, payer_wallet_id, payee_wallet_id

-- fragment: request_columns
actor_id, actor_roles, action, resource_type, resource_id, request_method, request_path, request_query, ip, user_agent,
correlation_id

-- fragment: request_values
%(actor_id)s, %(actor_roles)s, %(action)s, %(resource_type)s, %(id)s, %(request_method)s, %(request_path)s,
%(request_query)s, %(ip)s, %(user_agent)s, %(correlation_id)s

-- fragment: audited
-- Records a lookup: outcome has its result, status code and number of rows.
insert into bo.admin_audit_logs ({request_columns}, result, status_code, result_count, duration_ms)
select
    {request_values}, outcome.result, outcome.status_code, outcome.result_count,
    %(elapsed_ms)s::integer + extract(epoch from clock_timestamp() - statement_timestamp())::numeric * 1000
from outcome
where bo.require_open_session(%(session)s) is not false

-- name: tx
with entry as materialized (
    select {entry_columns}
    from bo.traced_entries
    where tx_id = %(id)s
),

outcome as (
    select
        case when found > 0 then 'FOUND' else 'NOT_FOUND' end as result,
        case when found > 0 then 200 else 404 end as status_code,
        found as result_count
    from (select count(*) as found from entry) as counts
),

audited as (
    {audited}
)

select * from entry

-- name: order
with payment_order as materialized (
    select
        o.order_id, o.user_id, o.merchant_name, o.amount, o.status, o.created_at,
        coalesce(p.payment_tx_id is not null and p.receive_tx_id is not null, false) as is_paired,
        -- ordered as the index is: a scan of the whole table must not look cheaper where the id has many entries
        (
            select true from bo.ledger_entries as e
            where e.related_id = o.order_id
            order by e.event_time desc, e.tx_id
            limit 1
        ) is not null as has_entries
    from bo.payment_orders as o
    left join bo.payment_ledger_pairs as p on o.order_id = p.payment_order_id
    where o.order_id = %(id)s
),

page as materialized (
    (
        select {entry_columns}
        from bo.traced_entries
        where
            related_id = %(id)s
            and event_time = %(before)s::timestamptz
            and tx_id > %(after_id)s
        order by event_time desc, tx_id
        limit %(limit)s::integer + 1
    )
    union all
    (
        select {entry_columns}
        from bo.traced_entries
        where
            related_id = %(id)s
            and event_time < %(before)s::timestamptz
        order by event_time desc, tx_id
        limit %(limit)s::integer + 1
    )
    order by event_time desc, tx_id
    limit %(limit)s::integer + 1
),

outcome as (
    select
        case when found then 'FOUND' else 'NOT_FOUND' end as result,
        case when found then 200 else 404 end as status_code,
        case when found then least(entries, %(limit)s::integer) else 0 end as result_count
    from (
        select
            exists (select from payment_order) as found,
            (select count(*) from page) as entries
    ) as counts
),

audited as (
    {audited}
)

select
    payment_order.order_id as po_order_id,
    payment_order.user_id as po_user_id,
    payment_order.merchant_name as po_merchant_name,
    payment_order.amount as po_amount,
    payment_order.status as po_status,
    payment_order.created_at as po_created_at,
    payment_order.is_paired as po_is_paired,
    payment_order.has_entries as po_has_entries,
    page.*
from payment_order
left join page on true
order by page.event_time desc, page.tx_id

-- name: wallet
with page as materialized (
    (
        select {entry_columns}
        from bo.traced_entries
        where
            wallet_id = %(id)s
            and event_time = %(before)s::timestamptz
            and tx_id > %(after_id)s
            and event_time >= %(from)s::timestamptz
            and event_time <= %(to)s::timestamptz
        order by event_time desc, tx_id
        limit %(limit)s::integer + 1
    )
    union all
    (
        select {entry_columns}
        from bo.traced_entries
        where
            wallet_id = %(id)s
            and event_time < %(before)s::timestamptz
            and event_time >= %(from)s::timestamptz
            and event_time <= %(to)s::timestamptz
        order by event_time desc, tx_id
        limit %(limit)s::integer + 1
    )
    order by event_time desc, tx_id
    limit %(limit)s::integer + 1
),

outcome as (
    select
        case when entries > 0 then 'FOUND' else 'EMPTY' end as result,
        200 as status_code,
        least(entries, %(limit)s::integer) as result_count
    from (select count(*) as entries from page) as counts
),

audited as (
    {audited}
)

select * from page
order by event_time desc, tx_id

-- name: search
with hits as materialized (
    select 'TX' as kind
    where exists (select from bo.ledger_entries where tx_id = %(id)s)
    union all
    select 'PAYMENT_ORDER'
    where exists (select from bo.payment_orders where order_id = %(id)s)
    union all
    select 'WALLET'
    -- ordered as the index is, for the same reason as has_entries
    where (select true from bo.ledger_entries where wallet_id = %(id)s order by event_time desc, tx_id limit 1)
),

outcome as (
    select
        case when found > 0 then 'FOUND' else 'EMPTY' end as result,
        200 as status_code,
        found as result_count
    from (select count(*) as found from hits) as counts
),

audited as (
    {audited}
)

select kind from hits

-- name: record
-- A request that read nothing: denied, invalid, or a lookup of the audit itself.
insert into bo.admin_audit_logs ({request_columns}, result, status_code, result_count, duration_ms, occurrences)
select
    {request_values}, %(result)s, %(status_code)s::integer, %(result_count)s::integer, %(elapsed_ms)s::integer,
    %(occurrences)s::integer
where bo.require_open_session(%(session)s) is not false
returning true

-- name: record_nothing
-- Fails where no lookup could be recorded: on a read-only server, without the right, while the table is locked.
insert into bo.admin_audit_logs ({request_columns}, result, status_code, result_count, duration_ms, occurrences)
select null, null, '', '', null, '', '', null, null, null, null, '', 0, null, null, 1
where false
returning true

-- name: session
select bo.require_open_session(%(session)s)

-- name: end_session
select bo.end_session(%(session)s, to_timestamp(%(expires_at)s::double precision))

-- name: audit
-- Runs as bo_audit: the role of the API cannot read what it writes.
select
    audit_id, requested_at, actor_id, actor_roles, action, resource_type, resource_id, result, status_code,
    result_count, duration_ms, occurrences, request_method, request_path, request_query, ip, user_agent,
    correlation_id
from bo.admin_audit_logs
where
    requested_at >= %(from)s::timestamptz
    and requested_at <= %(to)s::timestamptz
    and requested_at <= %(before)s::timestamptz
    and (requested_at < %(before)s::timestamptz or audit_id < %(before_id)s::bigint)
    and (%(actor_id)s::text is null or actor_id = %(actor_id)s::text)
    and (%(resource_id)s::text is null or resource_id = %(resource_id)s::text)
order by requested_at desc, audit_id desc
limit %(limit)s::integer + 1

-- name: migrations
select number, digest from bo.schema_migrations
order by number

-- name: consumers
-- Seconds that the stored data lag, 0 while a consumer is caught up and running.
select
    topic,
    max(
        case
            when position = end_offset and polled_at > clock_timestamp() - interval '5 seconds' then 0
            else greatest(
                extract(epoch from clock_timestamp() - coalesce(oldest_uncommitted_at, polled_at)), 0
            )
        end
    )::float8 as freshness_seconds,
    max(polled_at) as polled_at
from bo.consumer_state
group by topic
order by topic

-- name: replication_lag
select bo.replication_lag() as seconds
