with raw as (

    select * from {{ source('bronze', 'user_wallets_raw') }}

),

typed as (

    select
        {{ trimmed('raw.user_id') }} as user_id,
        coalesce(raw.source_extracted_at, raw.updated_at, raw.ingested_at) as snapshot_ts,
        case when raw.is_deleted then 0 else cast(raw.balance as {{ money() }}) end as balance_available,
        case when raw.is_deleted then 0 else cast(raw.frozen_amount as {{ money() }}) end as balance_frozen,
        {{ trimmed('raw.currency') }} as currency,
        {{ checked_columns() }}
        {{ arrival_columns() }}
    from raw

),

checked as (

    select
        typed.user_id,
        {{ plausible('typed.snapshot_ts') }} as snapshot_ts,
        {{ kst_date(plausible('typed.snapshot_ts')) }} as snapshot_date_kst,
        typed.balance_available,
        typed.balance_frozen,
        cast(typed.balance_available + typed.balance_frozen as {{ money() }}) as balance_total,
        typed.updated_at as source_updated_at,
        typed.snapshot_ts as version_ts,
        {{ plausible('typed.snapshot_ts') }} as source_time,
        typed.snapshot_ts as recorded_time,
        rules.rule_id,
        coalesce({{ plausible('typed.snapshot_ts') }}, typed.ingested_at) as row_time,
        case
            when typed.user_id is null then {{ absent('missing_user_id', ['user_id']) }}
            when typed.balance_available is null or typed.balance_frozen is null then 'invalid_balance'
            when (typed.balance_available < 0 or typed.balance_frozen < 0)
                and not coalesce({{ matches('typed.user_id', 'rules.overdraft_pattern') }}, false) then 'negative_balance'
            {{ reasons_of_any_column(['typed.updated_at', 'typed.source_extracted_at']) }}
            {{ reason_of_currency() }}
        end as reason,
        typed.raw_json,
        typed.batch_id,
        typed.line_number,
        typed.ingest_seq,
        typed.ingested_at,
        typed.is_withdrawn
    from typed
    {{ join_row_rules('user_wallets_raw', kst_date('typed.snapshot_ts')) }}

),

malformed as (

    {{ malformed_rows('user_wallets_raw', {
        'user_id': 'string', 'snapshot_ts': 'timestamp', 'snapshot_date_kst': 'date',
        'balance_available': 'decimal(38,2)', 'balance_frozen': 'decimal(38,2)', 'balance_total': 'decimal(38,2)',
        'source_updated_at': 'timestamp', 'version_ts': 'timestamp', 'source_time': 'timestamp',
        'recorded_time': 'timestamp', 'rule_id': 'string',
    }) }}

),

final as (

    select * from checked
    union all
    select * from malformed

)

select * from final
