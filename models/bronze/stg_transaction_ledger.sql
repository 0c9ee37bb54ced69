with raw as (

    select * from {{ source('bronze', 'transaction_ledger_raw') }}

),

entry_types as (

    select * from {{ ref('entry_types') }}

),

typed as (

    select
        {{ trimmed('raw.tx_id') }} as tx_id,
        {{ trimmed('raw.wallet_id') }} as wallet_id,
        {{ trimmed('raw.type') }} as entry_type,
        cast(raw.amount as {{ money() }}) as amount,
        {{ trimmed('raw.related_id') }} as related_id,
        raw.created_at as event_time,
        raw.entry_created_at,
        {{ trimmed('raw.currency') }} as currency,
        coalesce(raw.source_extracted_at, raw.updated_at, raw.created_at) as version_ts,
        {{ checked_columns() }}
        {{ arrival_columns() }}
    from raw

),

checked as (

    select
        typed.tx_id,
        typed.wallet_id,
        typed.entry_type,
        typed.amount,
        cast(typed.amount * entry_types.sign as {{ money() }}) as amount_signed,
        typed.related_id,
        {{ plausible('typed.event_time') }} as event_time,
        {{ kst_date(plausible('typed.event_time')) }} as event_date_kst,
        coalesce(typed.entry_created_at, typed.event_time) as created_at,
        typed.version_ts,
        {{ plausible('typed.event_time') }} as source_time,
        typed.event_time as recorded_time,
        rules.rule_id,
        coalesce({{ plausible('typed.event_time') }}, {{ plausible('typed.source_extracted_at') }}, typed.ingested_at) as row_time,
        case
            when typed.tx_id is null or typed.wallet_id is null then {{ absent('missing_tx_or_wallet', ['tx_id', 'wallet_id']) }}
            when typed.entry_type is null
                then {{ absent('missing_entry_type', ['entry_type', 'type'], named={'type': 'invalid_entry_type'}) }}
            when {{ not_allowed('typed.entry_type') }} then 'invalid_entry_type'
            when typed.amount is null then 'invalid_amount'
            when typed.amount <= 0 then 'non_positive_amount'
            when entry_types.sign is null then 'amount_signed_unavailable'
            when typed.event_time is null
                then {{ absent('missing_event_time', ['event_time', 'source_created_at', 'created_at']) }}
            {{ reasons_of_any_column(['typed.event_time', 'typed.entry_created_at', 'typed.updated_at', 'typed.source_extracted_at']) }}
            {{ reason_of_currency() }}
        end as reason,
        typed.raw_json,
        typed.batch_id,
        typed.line_number,
        typed.ingest_seq,
        typed.ingested_at,
        typed.is_withdrawn
    from typed
    left join entry_types on typed.entry_type = entry_types.entry_type
    {{ join_row_rules('transaction_ledger_raw', kst_date('typed.event_time')) }}

),

malformed as (

    {{ malformed_rows('transaction_ledger_raw', {
        'tx_id': 'string', 'wallet_id': 'string', 'entry_type': 'string', 'amount': 'decimal(38,2)',
        'amount_signed': 'decimal(38,2)', 'related_id': 'string', 'event_time': 'timestamp', 'event_date_kst': 'date',
        'created_at': 'timestamp', 'version_ts': 'timestamp', 'source_time': 'timestamp', 'recorded_time': 'timestamp',
        'rule_id': 'string',
    }) }}

),

final as (

    select * from checked
    union all
    select * from malformed

)

select * from final
