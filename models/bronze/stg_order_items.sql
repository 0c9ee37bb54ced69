with raw as (

    select * from {{ source('bronze', 'order_items_raw') }}

),

judged as (

    select
        raw.item_id,
        raw.order_id,
        cast(raw.order_id as string) as order_ref,
        raw.product_id,
        raw.quantity,
        cast(raw.price_at_purchase as {{ money() }}) as price_at_purchase,
        coalesce(raw.source_extracted_at, raw.updated_at, raw.ingested_at) as version_ts,
        coalesce(raw.source_extracted_at, raw.ingested_at) as row_time,
        case
            when raw.item_id is null or raw.order_id is null or raw.product_id is null then 'missing_required_keys'
            when raw.quantity < 0 or {{ unreadable('quantity') }} then 'invalid_quantity'
            when raw.price_at_purchase < 0 then 'negative_price'
            when {{ unreadable('price_at_purchase') }} then 'invalid_price'
        end as reason,
        {{ arrival_columns() }}
    from raw

),

malformed as (

    {{ malformed_rows('order_items_raw', {
        'item_id': 'bigint', 'order_id': 'bigint', 'order_ref': 'string', 'product_id': 'bigint', 'quantity': 'int',
        'price_at_purchase': 'decimal(38,2)', 'version_ts': 'timestamp',
    }) }}

),

final as (

    select * from judged
    union all
    select * from malformed

)

select * from final
