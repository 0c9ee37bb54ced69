{{ config(
    incremental_strategy='merge_scoped',
    unique_key=['date_kst', 'merchant_name'],
    meta={'scope': {'ref': 'int_controls_days', 'when': 'payments_due', 'on': ['date_kst']}},
) }}

with days as (

    select * from {{ ref('int_controls_days') }}
    where payments_due

),

status_rule as (

    {{ rule_on_days('days', 'ledger', 'payment_failed_status') }}

),

counted as (

    select
        orders.event_date_kst as date_kst,
        orders.merchant_name,
        status_rule.rule_id,
        count(*) as total_cnt,
        count(case when {{ list_has('status_rule.allowed_values', 'orders.status') }} then 1 end) as failed_cnt
    from {{ ref('order_events') }} as orders
    inner join status_rule on orders.event_date_kst = status_rule.date_kst
    where orders.order_source = 'PAYMENT_ORDERS'
    group by orders.event_date_kst, orders.merchant_name, status_rule.rule_id

),

final as (

    select
        date_kst,
        merchant_name,
        total_cnt,
        failed_cnt,
        {{ ratio('failed_cnt', 'total_cnt') }} as failure_rate,
        {{ run_id() }} as run_id,
        rule_id
    from counted

)

select * from final
