{{ config(
    incremental_strategy='merge_scoped',
    unique_key=['order_ref', 'order_source'],
    meta={
        'scope': {'ref': 'int_order_events_checked', 'when': "action = 'delete'", 'on': ['order_ref', 'order_source']},
        'existing': {'ref': 'int_order_events_checked', 'when': 'action is not null and old_version_ts is not null'},
    },
) }}

-- depends_on: {{ ref('change_log') }}
with checked as (

    select * from {{ ref('int_order_events_checked') }}
    where action = 'upsert' and {{ gate_is_open() }}

),

final as (

    select
        order_ref,
        order_source,
        user_id,
        merchant_name,
        amount,
        status,
        event_time,
        event_date_kst,
        {{ run_id() }} as run_id,
        version_ts
    from checked

)

select * from final
