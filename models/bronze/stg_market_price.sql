{{ config(enabled=var('market_price', false)) }}

with raw as (

    select * from {{ source('bronze', 'market_price_raw') }}

),

typed as (

    select
        {{ trimmed('raw.symbol') }} as symbol,
        cast(raw.price as {{ money() }}) as price,
        {{ trimmed('raw.currency') }} as currency,
        raw.quoted_at,
        {{ kst_date('raw.quoted_at') }} as date_kst,
        coalesce(raw.quoted_at, raw.source_extracted_at, raw.ingested_at) as row_time,
        {{ arrival_columns() }}
    from raw

),

checked as (

    select
        typed.symbol,
        typed.price,
        typed.currency,
        typed.quoted_at,
        typed.date_kst,
        typed.row_time,
        case
            when typed.symbol is null then 'missing_symbol'
            when typed.price is null then 'invalid_price'
            when typed.price <= 0 then 'non_positive_price'
            when typed.quoted_at is null then 'missing_quoted_at'
        end as reason,
        typed.raw_json,
        typed.batch_id,
        typed.line_number,
        typed.ingest_seq,
        typed.ingested_at,
        typed.is_withdrawn
    from typed

),

malformed as (

    {{ malformed_rows('market_price_raw', {
        'symbol': 'string', 'price': 'decimal(38,2)', 'currency': 'string', 'quoted_at': 'timestamp', 'date_kst': 'date',
    }) }}

),

final as (

    select * from checked
    union all
    select * from malformed

)

select * from final
