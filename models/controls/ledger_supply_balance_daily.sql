{{ config(
    incremental_strategy='merge_scoped',
    unique_key=['date_kst'],
    meta={'scope': {'ref': 'int_controls_days', 'when': 'supply_due', 'on': ['date_kst']}},
) }}
{#- as values, so that older partitions are skipped unread #}
{%- set span = read_row(
    "select coalesce(due.first_day, date '9999-12-31') as first_day, coalesce(due.last_day, date '0001-01-01') as last_day,"
    ~ " coalesce(max(computed.date_kst), date '0001-01-01') as base_day"
    ~ ' from (select min(date_kst) as first_day, max(date_kst) as last_day from ' ~ ref('int_controls_days')
    ~ ' where supply_due) as due left join ' ~ this ~ ' as computed on computed.date_kst < due.first_day'
    ~ ' group by due.first_day, due.last_day',
    {'first_day': '9999-12-31', 'last_day': '0001-01-01', 'base_day': '0001-01-01'}
) %}
{%- set first_due, last_due = "date '" ~ span.first_day ~ "'", "date '" ~ span.last_day ~ "'" %}
{%- set base_day = "date '" ~ span.base_day ~ "'" %}

with days as (

    select * from {{ ref('int_controls_days') }}
    where supply_due

),

-- the latest earlier row that nothing has altered
base as (

    select
        coalesce(max(issued_supply - opening_supply), 0) as issued_by_entries,
        coalesce(bool_or(has_supply_entries), false) as has_supply_entries
    from {{ this }}
    where date_kst = {{ base_day }}

),

supply_flows as (

    select
        entries.event_date_kst as date_kst,
        sum(entries.amount * types.supply_sign) as flow
    from {{ ref('ledger_entries') }} as entries
    inner join {{ ref('entry_types') }} as types on entries.entry_type = types.entry_type
    where types.supply_sign <> 0
        and entries.event_date_kst > {{ base_day }} and entries.event_date_kst <= {{ last_due }}
    group by entries.event_date_kst

),

issued as (

    select
        days.date_kst,
        base.issued_by_entries + coalesce(sum(supply_flows.flow), 0) as issued_by_entries,
        base.has_supply_entries or count(supply_flows.date_kst) > 0 as has_supply_entries
    from days
    cross join base
    left join supply_flows on supply_flows.date_kst <= days.date_kst
    group by days.date_kst, base.issued_by_entries, base.has_supply_entries

),

balances as (

    select
        date_kst,
        sum(balance_total) as wallet_total_balance,
        count(case when is_stale then 1 end) as stale_wallet_count,
        max(case when is_stale then closing_age_us end) as max_age_us
    from {{ ref('wallet_balance_daily') }}
    where date_kst >= {{ first_due }} and date_kst <= {{ last_due }}
    group by date_kst

),

activity as (

    select date_kst, sum(entry_cnt) + count(case when has_snapshot_of_day then 1 end) as row_cnt
    from {{ ref('int_wallet_days') }}
    group by date_kst

),

diff_rule as (

    {{ rule_on_days('days', 'ledger', 'supply_diff_abs') }}

),

opening_rule as (

    {{ rule_on_days('days', 'ledger', 'supply_opening') }}

),

gate as (

    {{ soft_gate() }}

),

measured as (

    select
        days.date_kst,
        issued.issued_by_entries + coalesce(cast(opening_rule.threshold as {{ money() }}), 0) as issued_supply,
        coalesce(cast(opening_rule.threshold as {{ money() }}), 0) as opening_supply,
        coalesce(balances.wallet_total_balance, 0) as wallet_total_balance,
        issued.issued_by_entries + coalesce(cast(opening_rule.threshold as {{ money() }}), 0) - coalesce(balances.wallet_total_balance, 0) as diff_amount,
        issued.has_supply_entries,
        issued.has_supply_entries or opening_rule.threshold is not null as has_baseline,
        coalesce(activity.row_cnt, 0) > 0 as has_data,
        coalesce(balances.stale_wallet_count, 0) as stale_wallet_count,
        balances.max_age_us
    from days
    inner join issued on days.date_kst = issued.date_kst
    left join balances on days.date_kst = balances.date_kst
    left join activity on days.date_kst = activity.date_kst
    left join opening_rule on days.date_kst = opening_rule.date_kst

),

checked as (

    select
        measured.*,
        diff_rule.rule_id,
        {{ severity('abs(measured.diff_amount)', 'diff_rule', '>') }} as severity,
        -- without a limit nothing is a mismatch, and only equal amounts are fine
        coalesce(diff_rule.crit, diff_rule.warn) is not null or measured.diff_amount = 0 as is_limited_or_equal,
        gate.dq_tag,
        coalesce(gate.is_suppressed, false) as is_suppressed
    from measured
    left join diff_rule on measured.date_kst = diff_rule.date_kst
    left join gate on measured.date_kst = gate.date_kst

),

final as (

    select
        date_kst,
        cast(issued_supply as {{ money() }}) as issued_supply,
        cast(wallet_total_balance as {{ money() }}) as wallet_total_balance,
        cast(diff_amount as {{ money() }}) as diff_amount,
        severity is null and is_limited_or_equal and has_data and has_baseline as is_ok,
        {{ run_id() }} as run_id,
        rule_id,
        case
            when is_suppressed then 'SUPPRESSED'
            when not has_data then 'NO_DATA'
            when not has_baseline then 'NO_BASELINE'
            when severity is not null then 'MISMATCH'
            else 'OK'
        end as verdict,
        case when not is_suppressed and has_data and has_baseline then severity end as severity,
        dq_tag,
        cast(opening_supply as {{ money() }}) as opening_supply,
        has_supply_entries,
        stale_wallet_count,
        cast({{ whole_quotient('max_age_us', 1000000) }} as bigint) as max_snapshot_age_sec
    from checked

)

select * from final
