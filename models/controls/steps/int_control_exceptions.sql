{{ config(
    post_hook="{{ merge_this_into('exception_ledger', ['exception_id']) }}",
    meta={'writes': ['exception_ledger']},
) }}

with days as (

    select * from {{ ref('int_controls_days') }}

),

drifts as (

    select recon.*
    from {{ ref('recon_daily_snapshot_flow') }} as recon
    inner join days on recon.date_kst = days.date_kst and days.recon_due
    where recon.verdict = 'DRIFT'

),

open_mismatches as (

    select date_kst from {{ ref('exception_ledger') }}
    where exception_type = 'SUPPLY_MISMATCH' and resolved_at is null

),

-- the opening that would leave no difference, where it is the same on every day from the first on
openings as (

    select
        date_kst,
        needed,
        min(needed) over (order by date_kst) = max(needed) over (order by date_kst) as is_constant
    from (
        select date_kst, cast(wallet_total_balance - (issued_supply - opening_supply) as {{ money() }}) as needed
        from {{ ref('ledger_supply_balance_daily') }}
        where verdict in ('OK', 'MISMATCH', 'SUPPRESSED')
    ) as compared

),

-- open ones are checked again: days computed since may show that the difference is not constant
mismatches as (

    select
        supply.*,
        case when openings.is_constant then openings.needed end as missing_opening
    from {{ ref('ledger_supply_balance_daily') }} as supply
    inner join openings on supply.date_kst = openings.date_kst
    where supply.verdict = 'MISMATCH'
        and (
            supply.date_kst in (select due.date_kst from days as due where due.supply_due)
            or supply.date_kst in (select still_open.date_kst from open_mismatches as still_open)
        )

),

found as (

    select
        date_kst,
        'ledger' as domain,
        'RECON_DRIFT_HIGH' as exception_type,
        severity,
        cast(null as string) as source_table,
        cast(null as timestamp) as window_start_ts,
        cast(null as timestamp) as window_end_ts,
        'drift_abs' as metric,
        drift_abs as metric_value,
        concat(
            '{"delta_balance_total": "', cast(delta_balance_total as string),
            '", "net_flow_total": "', cast(net_flow_total as string),
            '", "drift_abs": "', cast(drift_abs as string), '"}'
        ) as message,
        rule_id,
        user_id as subject,
        cast(null as string) as resolution
    from drifts
    union all
    select
        date_kst,
        'ledger' as domain,
        'SUPPLY_MISMATCH' as exception_type,
        severity,
        cast(null as string) as source_table,
        cast(null as timestamp) as window_start_ts,
        cast(null as timestamp) as window_end_ts,
        'supply_diff_abs' as metric,
        abs(diff_amount) as metric_value,
        concat(
            '{"issued_supply": "', cast(issued_supply as string),
            '", "wallet_total_balance": "', cast(wallet_total_balance as string),
            '", "diff_amount": "', cast(diff_amount as string), '"',
            case when missing_opening is null then '' else concat(', "ledger/supply_opening": "', cast(missing_opening as string), '"') end,
            '}'
        ) as message,
        rule_id,
        cast(null as string) as subject,
        cast(null as string) as resolution
    from mismatches

),

suppressed as (

    select date_kst from {{ ref('ledger_supply_balance_daily') }}
    where verdict = 'SUPPRESSED'

),

reviewed as (

    select
        ledger.exception_id,
        case when suppressed.date_kst is not null then 'SUPPRESSED' else 'CLEARED' end as resolution
    from {{ ref('exception_ledger') }} as ledger
    left join days
        on ledger.date_kst = days.date_kst
        and case ledger.exception_type when 'RECON_DRIFT_HIGH' then days.recon_due when 'SUPPLY_MISMATCH' then days.supply_due end
    -- every computed day has a row; without one the day is obsolete, and so are its exceptions
    left join {{ ref('ledger_supply_balance_daily') }} as computed on ledger.date_kst = computed.date_kst
    left join suppressed on ledger.date_kst = suppressed.date_kst
    where ledger.domain = 'ledger' and (days.date_kst is not null or computed.date_kst is null)

),

{{ exceptions_after_run('found', 'reviewed') }}

select * from final
