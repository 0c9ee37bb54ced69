{{ config(
    incremental_strategy='replace_partition',
    meta={'scope': {'ref': 'int_analytics_days', 'when': '1 = 1', 'on': ['date_kst']}},
) }}

with days as (

    select * from {{ ref('int_analytics_days') }}

),

payments as (

    select orders.*
    from {{ ref('order_events') }} as orders
    inner join days on orders.event_date_kst = days.date_kst
    where orders.order_source = 'PAYMENT_ORDERS' and orders.user_id is not null

),

links as (

    select links.order_ref, links.commerce_order_ref
    from {{ ref('int_order_links') }} as links
    inner join days on links.date_kst = days.date_kst

),

items as (

    select * from {{ ref('order_items') }}
    where order_ref in (select commerce_order_ref from links)

),

-- the line with the largest amount names the category of the order, also when its product is unknown
ranked_lines as (

    select
        items.order_ref,
        products.category,
        row_number() over (
            partition by items.order_ref
            order by coalesce(items.price_at_purchase, 0) * coalesce(items.quantity, 1) desc, items.item_id
        ) as line_rank
    from items
    left join {{ ref('products') }} as products on items.product_id = products.product_id

),

final as (

    select
        payments.event_date_kst as date_kst,
        {{ sha256_hex("concat(payments.user_id, " ~ salt() ~ ")") }} as user_key,
        payments.merchant_name,
        payments.amount,
        payments.status,
        ranked_lines.category,
        {{ run_id() }} as run_id,
        {{ sha256_hex("concat(payments.order_ref, " ~ salt() ~ ")") }} as payment_key,
        {{ salt_version() }} as salt_version
    from payments
    left join links on payments.order_ref = links.order_ref
    left join ranked_lines on links.commerce_order_ref = ranked_lines.order_ref and ranked_lines.line_rank = 1

)

select * from final
