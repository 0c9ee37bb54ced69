{{ config(
    incremental_strategy='merge_scoped',
    unique_key=['date_kst', 'user_id'],
    meta={'scope': {'ref': 'int_controls_days', 'when': 'recon_due', 'on': ['date_kst']}},
) }}

with days as (

    select * from {{ ref('int_controls_days') }}
    where recon_due

),

wallet_days as (

    select * from {{ ref('int_wallet_days') }}

),

drift_rule as (

    {{ rule_on_days('days', 'ledger', 'drift_abs') }}

),

gate as (

    {{ soft_gate() }}

),

-- a row exists for a wallet with a snapshot or an entry of the day, and where the span between snapshots is not empty
listed as (

    select wallet_days.*
    from wallet_days
    inner join days on wallet_days.date_kst = days.date_kst
    where wallet_days.entry_cnt > 0
        or wallet_days.has_snapshot_of_day
        or (wallet_days.closing_ts is not null and wallet_days.opening_ts is distinct from wallet_days.closing_ts)

),

covered as (

    select
        *,
        case
            when not has_snapshot then 'NO_SNAPSHOT'
            when closing_ts is null then 'NO_CLOSING'
            when is_beyond_tolerance and last_entry_ts > closing_ts then 'STALE_SNAPSHOT'
            when opening_is_virtual then 'NEW_WALLET'
            when not has_opening_boundary then 'NO_OPENING'
            else 'FULL'
        end as coverage
    from listed

),

-- a stale or first snapshot on both sides proves nothing, not even a drift of 0; any other empty span is OK, and its
-- entries are compared with a neighbouring day
assessed as (

    select
        *,
        coverage in ('NO_SNAPSHOT', 'NO_CLOSING')
        or (coverage in ('STALE_SNAPSHOT', 'NO_OPENING') and opening_ts = closing_ts) as is_incomparable
    from covered

),

compared as (

    select
        *,
        case when not is_incomparable then closing_balance - opening_balance end as delta_balance_total,
        case when closing_ts is not null then net_flow_span else net_flow_kst_day end as net_flow_total
    from assessed

),

measured as (

    select
        *,
        abs(delta_balance_total - net_flow_total) as drift_abs
    from compared

),

checked as (

    select
        measured.*,
        {{ ratio('measured.drift_abs', 'abs(measured.net_flow_total)') }} as drift_pct,
        gate.dq_tag,
        drift_rule.rule_id,
        {{ severity('measured.drift_abs', 'drift_rule', '>') }} as severity,
        coalesce(gate.is_suppressed, false) as is_suppressed
    from measured
    left join drift_rule on measured.date_kst = drift_rule.date_kst
    left join gate on measured.date_kst = gate.date_kst

),

final as (

    select
        date_kst,
        user_id,
        cast(delta_balance_total as {{ money() }}) as delta_balance_total,
        cast(net_flow_total as {{ money() }}) as net_flow_total,
        cast(drift_abs as {{ money() }}) as drift_abs,
        drift_pct,
        dq_tag,
        {{ run_id() }} as run_id,
        rule_id,
        opening_ts,
        opening_balance,
        closing_ts,
        closing_balance,
        net_flow_kst_day,
        coverage,
        case
            when is_suppressed then 'SUPPRESSED'
            when is_incomparable then 'UNRECONCILED'
            when severity is not null then 'DRIFT'
            else 'OK'
        end as verdict,
        case when not is_suppressed then severity end as severity
    from checked

)

select * from final
