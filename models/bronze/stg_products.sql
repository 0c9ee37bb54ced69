with raw as (

    select * from {{ source('bronze', 'products_raw') }}

),

judged as (

    select
        raw.product_id,
        {{ trimmed('raw.product_name') }} as product_name,
        {{ trimmed('raw.category') }} as category,
        cast(raw.price_krw as {{ money() }}) as price_krw,
        raw.is_display,
        coalesce(raw.source_extracted_at, raw.updated_at, raw.ingested_at) as version_ts,
        coalesce(raw.source_extracted_at, raw.ingested_at) as row_time,
        case
            when raw.product_id is null then 'missing_product_id'
            when raw.price_krw < 0 then 'negative_price'
            when {{ unreadable('price_krw') }} then 'invalid_price'
        end as reason,
        {{ arrival_columns() }}
    from raw

),

malformed as (

    {{ malformed_rows('products_raw', {
        'product_id': 'bigint', 'product_name': 'string', 'category': 'string', 'price_krw': 'decimal(38,2)',
        'is_display': 'boolean', 'version_ts': 'timestamp',
    }) }}

),

final as (

    select * from judged
    union all
    select * from malformed

)

select * from final
