{{ config(meta={'reads': ['order_events']}) }}

-- depends_on: {{ ref('int_silver_input') }}
{{ checked_rows(
    staged=['stg_payment_orders', 'stg_orders'],
    target=stored_table('order_events'),
    key=['order_ref', 'order_source'],
    content=['user_id', 'merchant_name', 'amount', 'status', 'event_time', 'event_date_kst']
) }}
