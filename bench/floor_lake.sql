-- The floor: the same Silver and Gold of one clean day, computed once from Bronze, in the simplest direct way. No
-- merges, no state, no rules in tables, no quarantine, no change log, no tests: what the engine itself costs.
-- Variables: day (the KST day), run_id.

-- section: guardrail

create schema if not exists floor_silver;
create schema if not exists floor_gold;

create or replace table floor_silver.dq_status as
with ledger as (
    select
        count(*) as event_count,
        count(distinct (trim(tx_id), trim(wallet_id), coalesce(source_extracted_at, updated_at, created_at))) as distinct_count,
        count(case when not coalesce(amount > 0, false) then 1 end) as bad_count,
        max(created_at) as newest
    from bronze.transaction_ledger_raw
    where cast(created_at + interval 9 hour as date) = getvariable('day')
),
wallets as (
    select
        count(*) as event_count,
        count(distinct (trim(user_id), source_extracted_at)) as distinct_count,
        count(case when not coalesce(balance >= 0 and frozen_amount >= 0, false) then 1 end) as bad_count,
        max(source_extracted_at) as newest
    from bronze.user_wallets_raw
    where cast(source_extracted_at + interval 9 hour as date) = getvariable('day')
),
payment_orders as (
    select
        count(*) as event_count,
        count(distinct (trim(order_id), coalesce(trim(status), ''), coalesce(source_extracted_at, updated_at, created_at))) as distinct_count,
        count(case when not coalesce(amount > 0, false) then 1 end) as bad_count,
        max(created_at) as newest
    from bronze.payment_orders_raw
    where cast(created_at + interval 9 hour as date) = getvariable('day')
),
sources as (
    select 'bronze.transaction_ledger_raw' as source_table, * from ledger
    union all
    select 'bronze.user_wallets_raw' as source_table, * from wallets
    union all
    select 'bronze.payment_orders_raw' as source_table, * from payment_orders
)
select
    source_table,
    cast(getvariable('day') as timestamp) - interval 9 hour as window_start_ts,
    cast(getvariable('day') as timestamp) + interval 15 hour as window_end_ts,
    getvariable('day') as date_kst,
    (epoch_us(cast(getvariable('day') as timestamp) + interval 15 hour) - epoch_us(newest)) // 1000000 as freshness_sec,
    event_count,
    cast((event_count - distinct_count) / event_count as decimal(38,6)) as dup_rate,
    cast(bad_count / event_count as decimal(38,6)) as bad_records_rate,
    'day' as window_kind,
    0 as zero_windows
from sources;

-- section: silver

create or replace table floor_silver.wallet_snapshot as
select
    source_extracted_at as snapshot_ts,
    cast(source_extracted_at + interval 9 hour as date) as snapshot_date_kst,
    trim(user_id) as user_id,
    cast(balance as decimal(38,2)) as balance_available,
    cast(frozen_amount as decimal(38,2)) as balance_frozen,
    cast(balance + frozen_amount as decimal(38,2)) as balance_total,
    updated_at as source_updated_at,
    getvariable('run_id') as run_id,
    'silver_bad_records_default' as rule_id,
    source_extracted_at as version_ts
from bronze.user_wallets_raw
where trim(user_id) <> '' and balance >= 0 and frozen_amount >= 0
qualify row_number() over (partition by trim(user_id), source_extracted_at order by ingest_seq desc) = 1;

create or replace table floor_silver.order_events as
with orders as (
    select
        trim(order_id) as order_ref,
        'PAYMENT_ORDERS' as order_source,
        user_id,
        merchant_name,
        amount,
        status,
        created_at,
        coalesce(source_extracted_at, updated_at, created_at) as version_ts,
        ingest_seq
    from bronze.payment_orders_raw
    union all
    select
        cast(order_id as varchar) as order_ref,
        'ORDERS' as order_source,
        user_id,
        null as merchant_name,
        total_amount as amount,
        status,
        created_at,
        coalesce(source_extracted_at, updated_at, created_at) as version_ts,
        ingest_seq
    from bronze.orders_raw
)
select
    order_ref,
    order_source,
    nullif(trim(user_id), '') as user_id,
    nullif(trim(merchant_name), '') as merchant_name,
    cast(amount as decimal(38,2)) as amount,
    trim(status) as status,
    created_at as event_time,
    cast(created_at + interval 9 hour as date) as event_date_kst,
    getvariable('run_id') as run_id,
    version_ts
from orders
where order_ref <> '' and amount > 0 and created_at is not null
    and trim(status) in ('PAID', 'PENDING', 'FAILED', 'CANCELLED', 'REFUNDED')
qualify row_number() over (partition by order_ref, order_source order by version_ts desc, ingest_seq desc) = 1;

create or replace table floor_silver.order_items as
select
    item_id,
    order_id,
    cast(order_id as varchar) as order_ref,
    product_id,
    quantity,
    cast(price_at_purchase as decimal(38,2)) as price_at_purchase,
    getvariable('run_id') as run_id,
    coalesce(source_extracted_at, updated_at, ingested_at) as version_ts
from bronze.order_items_raw
where item_id is not null and order_id is not null and product_id is not null
    and quantity >= 0 and price_at_purchase >= 0
qualify row_number() over (
    partition by item_id order by coalesce(source_extracted_at, updated_at, ingested_at) desc, ingest_seq desc
) = 1;

create or replace table floor_silver.products as
select
    product_id,
    product_name,
    category,
    cast(price_krw as decimal(38,2)) as price_krw,
    is_display,
    getvariable('run_id') as run_id,
    coalesce(source_extracted_at, updated_at, ingested_at) as version_ts
from bronze.products_raw
where product_id is not null and price_krw >= 0
qualify row_number() over (
    partition by product_id order by coalesce(source_extracted_at, updated_at, ingested_at) desc, ingest_seq desc
) = 1;

create or replace table floor_silver.ledger_entries as
with typed as (
    select
        trim(tx_id) as tx_id,
        trim(wallet_id) as wallet_id,
        created_at as event_time,
        cast(created_at + interval 9 hour as date) as event_date_kst,
        trim(type) as entry_type,
        cast(amount as decimal(38,2)) as amount,
        case
            when trim(type) in ('CHARGE', 'RECEIVE', 'REFUND_IN', 'MINT') then 1
            when trim(type) in ('PAYMENT', 'WITHDRAW', 'REFUND_OUT', 'BURN') then -1
            when trim(type) in ('HOLD', 'RELEASE') then 0
        end as sign,
        nullif(trim(related_id), '') as related_id,
        coalesce(source_extracted_at, updated_at, created_at) as version_ts,
        ingest_seq
    from bronze.transaction_ledger_raw
),
latest as (
    select * from typed
    where tx_id <> '' and wallet_id <> '' and amount > 0 and sign is not null and event_time is not null
    qualify row_number() over (partition by tx_id, wallet_id order by version_ts desc, ingest_seq) = 1
)
select
    latest.tx_id,
    latest.wallet_id,
    latest.event_time,
    latest.event_date_kst,
    latest.entry_type,
    latest.amount,
    cast(latest.amount * latest.sign as decimal(38,2)) as amount_signed,
    latest.related_id,
    cast(null as varchar) as related_type,
    orders.status,
    latest.event_time as created_at,
    getvariable('run_id') as run_id,
    'silver_entry_type_allowed_v1' as rule_id,
    latest.version_ts
from latest
left join floor_silver.order_events as orders
    on latest.related_id = orders.order_ref and orders.order_source = 'PAYMENT_ORDERS';

-- section: controls

-- the snapshot nearest to each end of the day, at most twelve hours away
create or replace table floor_gold.recon_daily_snapshot_flow as
with bounds as (
    select
        cast(getvariable('day') as timestamp) - interval 9 hour as day_start,
        cast(getvariable('day') as timestamp) + interval 15 hour as day_end
),
boundaries as (
    select
        user_id,
        arg_min(snapshot_ts, abs(epoch_us(snapshot_ts) - epoch_us(day_start))) filter (snapshot_ts <= day_start + interval 12 hour) as opening_ts,
        arg_min(balance_total, abs(epoch_us(snapshot_ts) - epoch_us(day_start))) filter (snapshot_ts <= day_start + interval 12 hour) as opening_balance,
        arg_min(snapshot_ts, abs(epoch_us(snapshot_ts) - epoch_us(day_end))) filter (snapshot_ts <= day_end + interval 12 hour) as closing_ts,
        arg_min(balance_total, abs(epoch_us(snapshot_ts) - epoch_us(day_end))) filter (snapshot_ts <= day_end + interval 12 hour) as closing_balance
    from floor_silver.wallet_snapshot
    cross join bounds
    group by user_id
),
flows as (
    select
        boundaries.user_id,
        coalesce(sum(entries.amount_signed) filter (entries.event_time > opening_ts and entries.event_time <= closing_ts), 0) as flow,
        coalesce(sum(entries.amount_signed) filter (entries.event_date_kst = getvariable('day')), 0) as day_flow
    from boundaries
    left join floor_silver.ledger_entries as entries on boundaries.user_id = entries.wallet_id
    group by boundaries.user_id
)
select
    getvariable('day') as date_kst,
    user_id,
    cast(closing_balance - opening_balance as decimal(38,2)) as delta_balance_total,
    cast(flow as decimal(38,2)) as net_flow_total,
    cast(abs(closing_balance - opening_balance - flow) as decimal(38,2)) as drift_abs,
    cast(cast(abs(closing_balance - opening_balance - flow) as double) / nullif(abs(flow), 0) as decimal(38,6)) as drift_pct,
    cast(null as varchar) as dq_tag,
    getvariable('run_id') as run_id,
    'ledger_recon_abs_default' as rule_id,
    opening_ts,
    opening_balance,
    closing_ts,
    closing_balance,
    cast(day_flow as decimal(38,2)) as net_flow_kst_day,
    'FULL' as coverage,
    case when closing_balance - opening_balance = flow then 'OK' else 'DRIFT' end as verdict,
    case when closing_balance - opening_balance <> flow then 'CRITICAL' end as severity
from boundaries
inner join flows using (user_id);

create or replace table floor_gold.wallet_balance_daily as
with bounds as (
    select cast(getvariable('day') as timestamp) + interval 15 hour as day_end
),
known as (
    select
        user_id,
        max(snapshot_ts) filter (snapshot_ts <= day_end) as last_snapshot_ts,
        arg_max(balance_total, snapshot_ts) filter (snapshot_ts <= day_end) as last_snapshot_balance,
        min(snapshot_ts) as first_snapshot_ts
    from floor_silver.wallet_snapshot
    cross join bounds
    group by user_id
),
moved as (
    select
        known.user_id,
        coalesce(sum(entries.amount_signed) filter (entries.event_time > known.last_snapshot_ts and entries.event_time < day_end), 0) as flow_since_snapshot,
        coalesce(sum(entries.amount_signed) filter (entries.event_time >= day_end and entries.event_time <= recon.closing_ts), 0) as flow_after_day,
        min(entries.event_time) filter (entries.event_time < day_end) as first_entry_ts
    from known
    cross join bounds
    inner join floor_gold.recon_daily_snapshot_flow as recon using (user_id)
    left join floor_silver.ledger_entries as entries on known.user_id = entries.wallet_id
    group by known.user_id
)
select
    getvariable('day') as date_kst,
    user_id,
    cast(recon.closing_balance - moved.flow_after_day as decimal(38,2)) as balance_total,
    recon.closing_ts,
    false as is_stale,
    epoch_us(day_end) - epoch_us(recon.closing_ts) as closing_age_us,
    known.last_snapshot_ts,
    known.last_snapshot_balance,
    false as last_snapshot_is_virtual,
    cast(moved.flow_since_snapshot as decimal(38,2)) as flow_since_snapshot,
    moved.first_entry_ts,
    known.first_snapshot_ts,
    getvariable('run_id') as run_id
from known
inner join moved using (user_id)
inner join floor_gold.recon_daily_snapshot_flow as recon using (user_id)
cross join bounds;

create or replace table floor_gold.ledger_supply_balance_daily as
with issued as (
    select cast(sum(case when entry_type in ('CHARGE', 'MINT') then amount else -amount end) as decimal(38,2)) as amount
    from floor_silver.ledger_entries
    where entry_type in ('CHARGE', 'MINT', 'WITHDRAW', 'BURN') and event_date_kst <= getvariable('day')
),
held as (
    select cast(sum(balance_total) as decimal(38,2)) as amount from floor_gold.wallet_balance_daily
)
select
    getvariable('day') as date_kst,
    issued.amount as issued_supply,
    held.amount as wallet_total_balance,
    cast(issued.amount - held.amount as decimal(38,2)) as diff_amount,
    issued.amount = held.amount as is_ok,
    getvariable('run_id') as run_id,
    'ledger_supply_diff_default' as rule_id,
    case when issued.amount = held.amount then 'OK' else 'MISMATCH' end as verdict,
    case when issued.amount <> held.amount then 'CRITICAL' end as severity,
    cast(null as varchar) as dq_tag,
    cast(0 as decimal(38,2)) as opening_supply,
    true as has_supply_entries,
    0 as stale_wallet_count,
    cast(null as bigint) as max_snapshot_age_sec
from issued
cross join held;

create or replace table floor_gold.ops_payment_failure_daily as
select
    event_date_kst as date_kst,
    merchant_name,
    count(*) as total_cnt,
    count(*) filter (status in ('FAILED', 'CANCELLED')) as failed_cnt,
    cast(round(count(*) filter (status in ('FAILED', 'CANCELLED')) / count(*), 6) as decimal(38,6)) as failure_rate,
    getvariable('run_id') as run_id,
    'ledger_failed_status_default' as rule_id
from floor_silver.order_events
where order_source = 'PAYMENT_ORDERS' and event_date_kst = getvariable('day')
group by event_date_kst, merchant_name;

create or replace table floor_gold.ops_payment_refund_daily as
select
    event_date_kst as date_kst,
    merchant_name,
    count(*) as total_cnt,
    count(*) filter (status = 'REFUNDED') as refunded_cnt,
    cast(round(count(*) filter (status = 'REFUNDED') / count(*), 6) as decimal(38,6)) as refund_rate,
    getvariable('run_id') as run_id,
    'ledger_refunded_status_default' as rule_id
from floor_silver.order_events
where order_source = 'PAYMENT_ORDERS' and event_date_kst = getvariable('day')
group by event_date_kst, merchant_name;

create or replace table floor_gold.admin_tx_search as
with sides as (
    select
        tx_id,
        wallet_id,
        related_id,
        amount,
        entry_type,
        row_number() over (partition by related_id, amount, entry_type order by event_time, tx_id, wallet_id) as side_rank
    from floor_silver.ledger_entries
    where entry_type in ('PAYMENT', 'RECEIVE', 'REFUND_OUT', 'REFUND_IN') and related_id is not null
),
outgoing as (
    select *, case entry_type when 'PAYMENT' then 'RECEIVE' else 'REFUND_IN' end as other_type
    from sides where entry_type in ('PAYMENT', 'REFUND_OUT')
),
matched as (
    select
        outgoing.tx_id as out_tx_id, outgoing.wallet_id as out_wallet_id,
        incoming.tx_id as in_tx_id, incoming.wallet_id as in_wallet_id
    from outgoing
    inner join sides as incoming
        on outgoing.related_id = incoming.related_id
        and outgoing.amount = incoming.amount
        and outgoing.other_type = incoming.entry_type
        and outgoing.side_rank = incoming.side_rank
        and outgoing.wallet_id <> incoming.wallet_id
),
pairs as (
    select out_tx_id as tx_id, out_wallet_id as wallet_id, in_tx_id as paired_tx_id from matched
    union all
    select in_tx_id as tx_id, in_wallet_id as wallet_id, out_tx_id as paired_tx_id from matched
)
select
    entries.event_date_kst,
    entries.tx_id,
    entries.wallet_id,
    entries.entry_type,
    entries.amount,
    entries.amount_signed,
    entries.event_time,
    entries.related_id,
    case when orders.order_ref is not null then 'PAYMENT_ORDER' end as related_type,
    orders.merchant_name,
    orders.status as payment_status,
    pairs.paired_tx_id,
    getvariable('run_id') as run_id,
    cast(null as varchar) as rule_id
from floor_silver.ledger_entries as entries
left join floor_silver.order_events as orders
    on entries.related_id = orders.order_ref and orders.order_source = 'PAYMENT_ORDERS'
left join pairs on entries.tx_id = pairs.tx_id and entries.wallet_id = pairs.wallet_id
where entries.event_date_kst = getvariable('day');

create or replace table floor_gold.ops_ledger_pairing_quality_daily as
with groups as (
    select
        related_id,
        bool_and(paired_tx_id is not null) as is_paired,
        bool_or(related_type is not null) as is_ordered
    from floor_gold.admin_tx_search
    where entry_type in ('PAYMENT', 'RECEIVE', 'REFUND_OUT', 'REFUND_IN') and related_id is not null
    group by related_id
),
group_rates as (
    select
        cast(round(count(*) filter (is_paired) / count(*), 6) as decimal(38,6)) as pair_candidate_rate,
        cast(round(count(*) filter (is_ordered) / count(*), 6) as decimal(38,6)) as join_payment_orders_rate
    from groups
),
entry_rates as (
    select
        count(*) as entry_cnt,
        cast(round((count(*) - count(related_id)) / count(*), 6) as decimal(38,6)) as related_id_null_rate
    from floor_gold.admin_tx_search
)
select
    getvariable('day') as date_kst,
    entry_rates.entry_cnt,
    entry_rates.related_id_null_rate,
    group_rates.pair_candidate_rate,
    group_rates.join_payment_orders_rate,
    getvariable('run_id') as run_id,
    cast(null as varchar) as rule_id
from entry_rates
cross join group_rates;

-- section: analytics

create or replace table floor_gold.fact_payment_anonymized as
with categories as (
    select
        items.order_ref,
        products.category
    from floor_silver.order_items as items
    left join floor_silver.products as products on items.product_id = products.product_id
    qualify row_number() over (
        partition by items.order_ref order by items.price_at_purchase * items.quantity desc, items.item_id
    ) = 1
)
select
    orders.event_date_kst as date_kst,
    sha256(orders.user_id || 'local-salt-v1') as user_key,
    orders.merchant_name,
    orders.amount,
    orders.status,
    categories.category,
    getvariable('run_id') as run_id,
    sha256(orders.order_ref || 'local-salt-v1') as payment_key,
    'local-v1' as salt_version
from floor_silver.order_events as orders
left join categories on regexp_extract(orders.order_ref, '([0-9]+)$', 1) = categories.order_ref
where orders.order_source = 'PAYMENT_ORDERS' and orders.event_date_kst = getvariable('day')
    and orders.user_id is not null;

create or replace table floor_gold.fact_payment_dropped_daily as
select
    event_date_kst as date_kst,
    'missing_user_id' as reason,
    count(*) as dropped_cnt,
    getvariable('run_id') as run_id
from floor_silver.order_events
where order_source = 'PAYMENT_ORDERS' and event_date_kst = getvariable('day') and user_id is null
group by event_date_kst;
