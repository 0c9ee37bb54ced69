with measured as (

    select * from {{ ref('int_dq_window_figures') }}

),

figures as (

    select
        source_table, window_kind, window_start_ts, window_end_ts, date_kst,
        case window_kind when 'day' then 'freshness_sec_day' else 'freshness_sec' end as metric,
        cast(freshness_sec as {{ rate() }}) as metric_value,
        'SOURCE_STALE' as dq_tag
    from measured
    union all
    select
        source_table, window_kind, window_start_ts, window_end_ts, date_kst,
        case source_table
            when 'bronze.transaction_ledger_raw' then 'dup_rate_tx_id'
            when 'bronze.user_wallets_raw' then 'dup_rate_user_id'
            else 'dup_rate_order_id'
        end as metric,
        dup_rate as metric_value,
        'DUP_SUSPECTED' as dq_tag
    from measured
    union all
    select
        source_table, window_kind, window_start_ts, window_end_ts, date_kst,
        case window_kind when 'day' then 'completeness_zero_windows_day' else 'completeness_zero_windows' end as metric,
        cast(zero_windows as {{ rate() }}) as metric_value,
        'EVENT_DROP_SUSPECTED' as dq_tag
    from measured
    union all
    select
        source_table, window_kind, window_start_ts, window_end_ts, date_kst,
        'contract_bad_records_rate' as metric,
        bad_records_rate as metric_value,
        'CONTRACT_VIOLATION' as dq_tag
    from measured

),

ruled as (

    {{ rule_on_days('figures', 'dq', scope='source_table') }}

),

checked as (

    select
        ruled.*,
        {{ severity('ruled.metric_value', 'ruled', '>=') }} as severity
    from ruled

),

final as (

    select
        source_table,
        window_kind,
        window_start_ts,
        window_end_ts,
        date_kst,
        metric,
        metric_value,
        dq_tag,
        {{ tag_priority('dq_tag') }} as tag_priority,
        severity,
        rule_id
    from checked
    where severity is not null

)

select * from final
