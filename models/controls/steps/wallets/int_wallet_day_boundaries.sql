{%- set span = wallet_range() %}

with base as (

    select * from {{ ref('int_wallets_at_base_day') }}

),

wallets as (

    select * from {{ ref('int_known_wallets') }}

),

ordered_points as (

    select * from {{ ref('int_wallet_points') }}

),

-- every wallet with its first snapshot in the range
openings as (

    select
        wallets.user_id,
        wallets.first_entry_ts,
        wallets.first_snapshot_ts,
        first_point.ts as first_ts,
        first_point.balance as first_balance,
        first_point.is_virtual as first_is_virtual,
        first_point.first_end_n as first_of_wallet,
        base.flow_since_snapshot as base_flow
    from wallets
    left join ordered_points as first_point on wallets.user_id = first_point.user_id and first_point.point_rank = 1
    left join base on wallets.user_id = base.user_id

),

-- the stretch from one snapshot to the next, as the ends of days it holds
stretches as (

    select
        user_id,
        ts as prev_ts,
        balance as prev_balance,
        is_virtual as prev_is_virtual,
        next_ts,
        next_balance,
        next_is_virtual,
        greatest(first_end_n, {{ span.n_base }}) as n_low,
        least(
            coalesce({{ day_number(kst_date('next_ts - interval 1 microsecond')) }} - 1, {{ span.n_last }}), {{ span.n_last }}
        ) as n_high
    from ordered_points
    union all
    -- the stretch before a wallet's first snapshot, from its first entry or from where the snapshot can serve
    select
        user_id,
        cast(null as timestamp) as prev_ts,
        cast(null as {{ money() }}) as prev_balance,
        cast(null as boolean) as prev_is_virtual,
        first_ts as next_ts,
        first_balance as next_balance,
        first_is_virtual as next_is_virtual,
        greatest(
            least(
                coalesce({{ day_number(kst_date('first_entry_ts')) }}, {{ span.n_last }} + 1),
                coalesce({{ day_number(kst_date(from_epoch_us(epoch_us('first_ts') ~ ' - ' ~ span.tolerance_us ~ ' - 1'))) }}, {{ span.n_last }} + 1)
            ),
            {{ span.n_base }}
        ) as n_low,
        least(coalesce(first_of_wallet - 1, {{ span.n_last }}), {{ span.n_last }}) as n_high
    from openings
    where user_id not in (select user_id from base where last_snapshot_ts is not null)

),

ends as (

    select
        user_id,
        prev_ts,
        prev_balance,
        prev_is_virtual,
        next_ts,
        next_balance,
        next_is_virtual,
        n_low < n_high as holds_several,
        {{ explode_range('n_low', 'n_high') }} as n
    from stretches
    where n_low <= n_high

),

day_rules as (

    select
        {{ day_number('calendar.date_kst') }} as n,
        cast(coalesce(rule.threshold, 0) * 3600000000 as bigint) as tolerance_us
    from (
        select {{ from_day_number('n') }} as date_kst, {{ from_day_number('n + 1') }} as next_day
        from (select {{ explode_range(span.n_base, span.n_last) }} as n) as numbers
    ) as calendar
    left join {{ ref('int_rule_days') }} as rule
        on rule.domain = 'ledger' and rule.metric = 'snapshot_tolerance_hours' and rule.scope is null
        and {{ valid_on('rule', 'calendar.next_day') }}

),

-- the boundary at the end of each day: the nearest snapshot within the tolerance (ties: the earlier), else the
-- latest one before it
boundaries as (

    select
        ends.*,
        day_rules.tolerance_us,
        {{ epoch_us(kst_day_end(from_day_number('ends.n'))) }} as end_us,
        coalesce(
            {{ epoch_us('ends.next_ts') }} - {{ epoch_us(kst_day_end(from_day_number('ends.n'))) }} <= day_rules.tolerance_us
            and (
                ends.prev_ts is null
                or {{ epoch_us('ends.next_ts') }} - {{ epoch_us(kst_day_end(from_day_number('ends.n'))) }}
                < {{ epoch_us(kst_day_end(from_day_number('ends.n'))) }} - {{ epoch_us('ends.prev_ts') }}
            ),
            false
        ) as takes_next
    from ends
    inner join day_rules on ends.n = day_rules.n

),

closings as (

    select
        boundaries.user_id,
        boundaries.n,
        boundaries.prev_ts,
        boundaries.prev_balance,
        boundaries.prev_is_virtual,
        boundaries.holds_several,
        boundaries.tolerance_us,
        boundaries.end_us,
        case when takes_next then next_ts else prev_ts end as closing_ts,
        case when takes_next then next_balance else prev_balance end as closing_balance,
        case when takes_next then next_is_virtual else prev_is_virtual end as closing_is_virtual,
        -- entries of the instant at which a day ends are of the next day, but a snapshot of that instant holds them
        coalesce(takes_next or {{ epoch_us('prev_ts') }} = end_us, false) as closes_after_day
    from boundaries

),

final as (

    select
        closings.*,
        -- where a wallet without an opening boundary opens, once it has a closing one
        case when closings.closing_ts is not null then openings.first_ts end as first_ts,
        case when closings.closing_ts is not null then openings.first_balance end as first_balance,
        case when closings.closing_ts is not null then openings.first_is_virtual end as first_is_virtual,
        openings.first_ts is not null or openings.first_snapshot_ts is not null as has_snapshot,
        openings.first_entry_ts,
        openings.first_snapshot_ts,
        openings.base_flow,
        closings.n = {{ span.n_base }} as is_base_day
    from closings
    inner join openings on closings.user_id = openings.user_id

)

select * from final
