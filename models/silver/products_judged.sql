{{ config(materialized='table') }}

-- depends_on: {{ ref('silver_input') }}
{{ judged_rows(
    staged=['stg_products'],
    target=api.Relation.create(database=this.database, schema=this.schema, identifier='products', type='table'),
    key=['product_id'],
    content=['product_name', 'category', 'price_krw', 'is_display']
) }}
