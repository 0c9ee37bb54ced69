{{ config(
    incremental_strategy='merge_scoped',
    unique_key=['item_id'],
    meta={
        'scope': {'ref': 'int_order_items_checked', 'when': "action = 'delete'", 'on': ['item_id']},
        'existing': {'ref': 'int_order_items_checked', 'when': 'action is not null and old_version_ts is not null'},
    },
) }}

-- depends_on: {{ ref('change_log') }}
with checked as (

    select * from {{ ref('int_order_items_checked') }}
    where action = 'upsert' and {{ gate_is_open() }}

),

final as (

    select
        item_id,
        order_id,
        order_ref,
        product_id,
        quantity,
        price_at_purchase,
        {{ run_id() }} as run_id,
        version_ts
    from checked

)

select * from final
