{{ config(meta={'reads': ['order_items']}) }}

-- depends_on: {{ ref('int_silver_input') }}
{{ checked_rows(
    staged=['stg_order_items'],
    target=stored_table('order_items'),
    key=['item_id'],
    content=['order_id', 'order_ref', 'product_id', 'quantity', 'price_at_purchase']
) }}
