{{ config(
    incremental_strategy='merge_scoped',
    unique_key=['date_kst', 'reason'],
    meta={'scope': {'ref': 'int_analytics_days', 'when': '1 = 1', 'on': ['date_kst']}},
) }}

with days as (

    select * from {{ ref('int_analytics_days') }}

),

final as (

    select
        orders.event_date_kst as date_kst,
        'missing_user_id' as reason,
        count(*) as dropped_cnt,
        {{ run_id() }} as run_id
    from {{ ref('order_events') }} as orders
    inner join days on orders.event_date_kst = days.date_kst
    where orders.order_source = 'PAYMENT_ORDERS' and orders.user_id is null
    group by orders.event_date_kst

)

select * from final
