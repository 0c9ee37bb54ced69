with raw as (

    select * from {{ source('bronze', 'products_raw') }}

),

typed as (

    select
        raw.product_id,
        {{ trimmed('raw.product_name') }} as product_name,
        {{ trimmed('raw.category') }} as category,
        cast(raw.price_krw as {{ money() }}) as price_krw,
        raw.is_display,
        coalesce(raw.source_extracted_at, raw.updated_at, raw.ingested_at) as version_ts,
        {{ checked_columns() }}
        {{ arrival_columns() }}
    from raw

),

checked as (

    select
        typed.product_id,
        typed.product_name,
        typed.category,
        typed.price_krw,
        typed.is_display,
        typed.version_ts,
        coalesce({{ plausible('typed.source_extracted_at') }}, typed.ingested_at) as row_time,
        case
            when typed.product_id is null then {{ absent('missing_product_id', ['product_id']) }}
            when typed.price_krw < 0 then 'negative_price'
            when {{ is_unreadable('price_krw') }} then 'invalid_price'
            {{ reasons_of_any_column(['typed.updated_at', 'typed.source_extracted_at']) }}
        end as reason,
        typed.raw_json,
        typed.batch_id,
        typed.line_number,
        typed.ingest_seq,
        typed.ingested_at,
        typed.is_withdrawn
    from typed
    {{ join_row_rules('products_raw', kst_date(as_of())) }}

),

malformed as (

    {{ malformed_rows('products_raw', {
        'product_id': 'bigint', 'product_name': 'string', 'category': 'string', 'price_krw': 'decimal(38,2)',
        'is_display': 'boolean', 'version_ts': 'timestamp',
    }) }}

),

final as (

    select * from checked
    union all
    select * from malformed

)

select * from final
