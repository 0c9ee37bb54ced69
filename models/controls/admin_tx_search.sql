{{ config(
    materialized='incremental',
    incremental_strategy='merge_scoped',
    unique_key=['event_date_kst', 'tx_id', 'wallet_id'],
    meta={'scope': {'ref': 'controls_days', 'when': 'entries_due', 'on': ['event_date_kst'], 'as': ['date_kst']}},
) }}

with days as (

    select date_kst as event_date_kst from {{ ref('controls_days') }}
    where entries_due

),

entries as (

    select entries.*
    from {{ ref('ledger_entries') }} as entries
    inner join days on entries.event_date_kst = days.event_date_kst

),

payment_orders as (

    select order_ref, merchant_name, status from {{ ref('order_events') }}
    where order_source = 'PAYMENT_ORDERS'

),

pairs as (

    select tx_id, wallet_id, paired_tx_id from {{ ref('ledger_pairs') }}
    where paired_tx_id is not null

),

final as (

    select
        entries.event_date_kst,
        entries.tx_id,
        entries.wallet_id,
        entries.entry_type,
        entries.amount,
        entries.amount_signed,
        entries.event_time,
        entries.related_id,
        case when payment_orders.order_ref is not null then 'PAYMENT_ORDER' end as related_type,
        payment_orders.merchant_name,
        payment_orders.status as payment_status,
        pairs.paired_tx_id,
        {{ run_id() }} as run_id,
        cast(null as string) as rule_id
    from entries
    left join payment_orders on entries.related_id = payment_orders.order_ref
    left join pairs on entries.tx_id = pairs.tx_id and entries.wallet_id = pairs.wallet_id

)

select * from final
