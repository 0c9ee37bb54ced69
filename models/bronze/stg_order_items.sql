with raw as (

    select * from {{ source('bronze', 'order_items_raw') }}

),

typed as (

    select
        raw.item_id,
        raw.order_id,
        raw.product_id,
        raw.quantity,
        cast(raw.price_at_purchase as {{ money() }}) as price_at_purchase,
        coalesce(raw.source_extracted_at, raw.updated_at, raw.ingested_at) as version_ts,
        {{ checked_columns() }}
        {{ arrival_columns() }}
    from raw

),

checked as (

    select
        typed.item_id,
        typed.order_id,
        cast(typed.order_id as string) as order_ref,
        typed.product_id,
        typed.quantity,
        typed.price_at_purchase,
        typed.version_ts,
        coalesce({{ plausible('typed.source_extracted_at') }}, typed.ingested_at) as row_time,
        case
            when typed.item_id is null or typed.order_id is null or typed.product_id is null
                then {{ absent('missing_required_keys', ['item_id', 'order_id', 'product_id']) }}
            when typed.quantity < 0 or {{ is_unreadable('quantity') }} then 'invalid_quantity'
            when typed.price_at_purchase < 0 then 'negative_price'
            when {{ is_unreadable('price_at_purchase') }} then 'invalid_price'
            {{ reasons_of_any_column(['typed.updated_at', 'typed.source_extracted_at']) }}
        end as reason,
        typed.raw_json,
        typed.batch_id,
        typed.line_number,
        typed.ingest_seq,
        typed.ingested_at,
        typed.is_withdrawn
    from typed
    {{ join_row_rules('order_items_raw', kst_date(as_of())) }}

),

malformed as (

    {{ malformed_rows('order_items_raw', {
        'item_id': 'bigint', 'order_id': 'bigint', 'order_ref': 'string', 'product_id': 'bigint', 'quantity': 'int',
        'price_at_purchase': 'decimal(38,2)', 'version_ts': 'timestamp',
    }) }}

),

final as (

    select * from checked
    union all
    select * from malformed

)

select * from final
