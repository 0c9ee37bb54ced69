{{ config(
    materialized='incremental',
    incremental_strategy='merge_scoped',
    unique_key=['date_kst'],
    meta={'scope': {'ref': 'controls_days', 'when': 'entries_due', 'on': ['date_kst']}},
) }}

with days as (

    select * from {{ ref('controls_days') }}
    where entries_due

),

entries as (

    select
        entries.event_date_kst as date_kst,
        entries.related_id
    from {{ ref('ledger_entries') }} as entries
    inner join days on entries.event_date_kst = days.date_kst

),

counted as (

    select
        days.date_kst,
        count(entries.date_kst) as entry_cnt,
        count(entries.date_kst) - count(entries.related_id) as related_id_null_cnt
    from days
    left join entries on days.date_kst = entries.date_kst
    group by days.date_kst

),

payment_orders as (

    select order_ref from {{ ref('order_events') }}
    where order_source = 'PAYMENT_ORDERS'

),

-- what entries of a pairable type belong to, once a day; a group is the entries of that day
groups as (

    select
        pairs.event_date_kst as date_kst,
        pairs.related_id,
        bool_and(pairs.paired_tx_id is not null) as is_paired
    from {{ ref('ledger_pairs') }} as pairs
    inner join days on pairs.event_date_kst = days.date_kst
    group by pairs.event_date_kst, pairs.related_id

),

group_counts as (

    select
        groups.date_kst,
        count(*) as group_cnt,
        count(case when groups.is_paired then 1 end) as paired_cnt,
        count(payment_orders.order_ref) as ordered_cnt
    from groups
    left join payment_orders on groups.related_id = payment_orders.order_ref
    group by groups.date_kst

),

final as (

    select
        counted.date_kst,
        counted.entry_cnt,
        coalesce({{ ratio('counted.related_id_null_cnt', 'counted.entry_cnt') }}, 0) as related_id_null_rate,
        coalesce({{ ratio('group_counts.paired_cnt', 'group_counts.group_cnt') }}, 0) as pair_candidate_rate,
        coalesce({{ ratio('group_counts.ordered_cnt', 'group_counts.group_cnt') }}, 0) as join_payment_orders_rate,
        {{ run_id() }} as run_id,
        cast(null as string) as rule_id
    from counted
    left join group_counts on counted.date_kst = group_counts.date_kst

)

select * from final
