{{ config(
    materialized='incremental',
    incremental_strategy='merge_scoped',
    unique_key=['product_id'],
    meta={
        'scope': {'ref': 'products_judged', 'when': "action = 'delete'", 'on': ['product_id']},
        'standing': {'ref': 'products_judged', 'when': 'action is not null and old_version_ts is not null'},
    },
) }}

-- depends_on: {{ ref('change_log') }}
with judged as (

    select * from {{ ref('products_judged') }}
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
    from judged

)

select * from final
