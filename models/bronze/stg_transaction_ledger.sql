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
        {{ kst_date('raw.created_at') }} as event_date_kst,
        coalesce(raw.source_extracted_at, raw.updated_at, raw.created_at) as version_ts,
        coalesce(raw.created_at, raw.source_extracted_at, raw.ingested_at) as row_time,
        {{ arrival_columns() }}
    from raw

),

judged as (

    select
        typed.tx_id,
        typed.wallet_id,
        typed.entry_type,
        typed.amount,
        cast(typed.amount * entry_types.sign as {{ money() }}) as amount_signed,
        typed.related_id,
        typed.event_time,
        typed.event_date_kst,
        typed.version_ts,
        typed.event_time as source_time,
        {{ row_rule('entry_type', 'rule_id') }} as rule_id,
        typed.row_time,
        case
            when typed.tx_id is null or typed.wallet_id is null then 'missing_tx_or_wallet'
            when typed.entry_type is null then 'missing_entry_type'
            when {{ not_allowed('entry_type', 'typed.entry_type') }} then 'invalid_entry_type'
            when typed.amount is null then 'invalid_amount'
            when typed.amount <= 0 then 'non_positive_amount'
            when entry_types.sign is null then 'amount_signed_unavailable'
            when typed.event_time is null then 'missing_event_time'
        end as reason,
        typed.raw_json,
        typed.batch_id,
        typed.line_number,
        typed.ingest_seq,
        typed.ingested_at,
        typed.is_withdrawn
    from typed
    left join entry_types on typed.entry_type = entry_types.entry_type
    {{ join_row_rule('entry_type', 'silver', 'entry_type_allowed', 'transaction_ledger_raw', 'typed.event_date_kst') }}

),

malformed as (

    {{ malformed_rows('transaction_ledger_raw', {
        'tx_id': 'string', 'wallet_id': 'string', 'entry_type': 'string', 'amount': 'decimal(38,2)',
        'amount_signed': 'decimal(38,2)', 'related_id': 'string', 'event_time': 'timestamp', 'event_date_kst': 'date',
        'version_ts': 'timestamp', 'source_time': 'timestamp', 'rule_id': 'string',
    }) }}

),

final as (

    select * from judged
    union all
    select * from malformed

)

select * from final
