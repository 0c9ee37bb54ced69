{{ config(meta={'reads': ['products']}) }}

-- depends_on: {{ ref('int_silver_input') }}
{{ checked_rows(
    staged=['stg_products'],
    target=stored_table('products'),
    key=['product_id'],
    content=['product_name', 'category', 'price_krw', 'is_display']
) }}
