with raw as (

    select * from {{ source('bronze', 'orders_raw') }}

),

typed as (

    select
        {{ trimmed('cast(raw.order_id as string)') }} as order_ref,
        'ORDERS' as order_source,
        {{ trimmed('raw.user_id') }} as user_id,
        cast(null as string) as merchant_name,
        cast(raw.total_amount as {{ money() }}) as amount,
        {{ trimmed('raw.status') }} as status,
        raw.created_at as event_time,
        {{ trimmed('raw.currency') }} as currency,
        coalesce(raw.source_extracted_at, raw.updated_at, raw.created_at) as version_ts,
        {{ checked_columns() }}
        {{ arrival_columns() }}
    from raw

),

checked as (

    select
        typed.order_ref,
        typed.order_source,
        typed.user_id,
        typed.merchant_name,
        typed.amount,
        typed.status,
        {{ plausible('typed.event_time') }} as event_time,
        {{ kst_date(plausible('typed.event_time')) }} as event_date_kst,
        typed.version_ts,
        {{ plausible('typed.event_time') }} as source_time,
        typed.event_time as recorded_time,
        rules.rule_id,
        coalesce({{ plausible('typed.event_time') }}, {{ plausible('typed.source_extracted_at') }}, typed.ingested_at) as row_time,
        case
            when typed.order_ref is null then {{ absent('missing_order_id', ['order_id']) }}
            when typed.amount is null then 'invalid_amount'
            when typed.amount <= 0 then 'non_positive_amount'
            when typed.event_time is null then {{ absent('missing_event_time', ['created_at', 'event_time']) }}
            when typed.status is not null and {{ not_allowed('typed.status') }} then 'invalid_status'
            {{ reasons_of_any_column(['typed.event_time', 'typed.updated_at', 'typed.source_extracted_at']) }}
            {{ reason_of_currency() }}
        end as reason,
        typed.raw_json,
        typed.batch_id,
        typed.line_number,
        typed.ingest_seq,
        typed.ingested_at,
        typed.is_withdrawn
    from typed
    {{ join_row_rules('orders_raw', kst_date('typed.event_time')) }}

),

malformed as (

    {{ malformed_rows('orders_raw', {
        'order_ref': 'string', 'order_source': 'string', 'user_id': 'string', 'merchant_name': 'string',
        'amount': 'decimal(38,2)', 'status': 'string', 'event_time': 'timestamp', 'event_date_kst': 'date',
        'version_ts': 'timestamp', 'source_time': 'timestamp', 'recorded_time': 'timestamp', 'rule_id': 'string',
    }) }}

),

final as (

    select * from checked
    union all
    select * from malformed

)

select * from final
