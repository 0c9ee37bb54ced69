{{ config(
    incremental_strategy='merge_scoped',
    unique_key=['product_id'],
    meta={
        'scope': {'ref': 'int_products_checked', 'when': "action = 'delete'", 'on': ['product_id']},
        'existing': {'ref': 'int_products_checked', 'when': 'action is not null and old_version_ts is not null'},
    },
) }}

-- depends_on: {{ ref('change_log') }}
with checked as (

    select * from {{ ref('int_products_checked') }}
    where action = 'upsert' and {{ gate_is_open() }}

),

final as (

    select
        product_id,
        product_name,
        category,
        price_krw,
        is_display,
        {{ run_id() }} as run_id,
        version_ts
    from checked

)

select * from final
