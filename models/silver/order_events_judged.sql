{{ config(materialized='table') }}

-- depends_on: {{ ref('silver_input') }}
{{ judged_rows(
    staged=['stg_payment_orders', 'stg_orders'],
    target=api.Relation.create(database=this.database, schema=this.schema, identifier='order_events', type='table'),
    key=['order_ref', 'order_source'],
    content=['user_id', 'merchant_name', 'amount', 'status', 'event_time', 'event_date_kst']
) }}
