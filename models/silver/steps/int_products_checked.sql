-- depends_on: {{ ref('int_silver_input') }}
{{ checked_rows(
    staged=['stg_products'],
    target=standing('silver', 'products'),
    key=['product_id'],
    content=['product_name', 'category', 'price_krw', 'is_display']
) }}
