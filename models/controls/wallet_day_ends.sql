{%- set span = wallet_range() %}

with wallet_snapshots as (

    select user_id, snapshot_ts, balance_total from {{ ref('wallet_snapshot') }}
    where snapshot_ts > {{ span.base_end }} and snapshot_ts <= {{ span.range_end }}

),

ledger_entries as (

    {{ entries_in_range(span) }}

),

-- every wallet as it stood at the end of the base day
base as (

    select
        user_id,
        last_snapshot_ts,
        last_snapshot_balance,
        last_snapshot_is_virtual,
        flow_since_snapshot,
        first_entry_ts,
        first_snapshot_ts
    {% if span.base_day -%}
    from {{ standing('gold', 'wallet_balance_daily') }}
    where date_kst = {{ span.base }}
    {%- else -%}
    from (
        {{ wallets_from_scratch(span.base_end) }}
    ) as scratch
    {%- endif %}

),

first_entries as (

    select user_id, min(first_entry_ts) as first_entry_ts
    from (
        select user_id, first_entry_ts from base where first_entry_ts is not null
        union all
        select user_id, min(event_time) as first_entry_ts
        from ledger_entries
        where user_id not in (select user_id from base where first_entry_ts is not null)
        group by user_id
    ) as known
    group by user_id

),

first_snapshots as (

    select user_id, min(first_snapshot_ts) as first_snapshot_ts
    from (
        select user_id, first_snapshot_ts from base where first_snapshot_ts is not null
        union all
        select user_id, min(snapshot_ts) as first_snapshot_ts
        from wallet_snapshots
        where user_id not in (select user_id from base where first_snapshot_ts is not null)
        group by user_id
        union all
        -- snapshots after the range, for wallets that have entries only
        select later.user_id, min(later.snapshot_ts) as first_snapshot_ts
        from {{ ref('wallet_snapshot') }} as later
        where later.snapshot_ts > {{ span.range_end }}
            and later.user_id in (select user_id from first_entries)
            and later.user_id not in (select user_id from base where first_snapshot_ts is not null)
            and later.user_id not in (select user_id from wallet_snapshots)
        group by later.user_id
    ) as known
    group by user_id

),

feed as (

    select min(first_snapshot_ts) as feed_start from first_snapshots

),

wallets as (

    select
        coalesce(first_entries.user_id, first_snapshots.user_id) as user_id,
        first_entries.first_entry_ts,
        first_snapshots.first_snapshot_ts,
        -- a wallet that is new to a running feed starts with nothing, just before its first entry
        case
            when first_entries.first_entry_ts < first_snapshots.first_snapshot_ts
                and feed.feed_start < first_entries.first_entry_ts
                then first_entries.first_entry_ts - interval 1 microsecond
        end as virtual_ts
    from first_entries
    full outer join first_snapshots on first_entries.user_id = first_snapshots.user_id
    cross join feed

),

points as (

    select user_id, last_snapshot_ts as ts, last_snapshot_balance as balance, last_snapshot_is_virtual as is_virtual
    from base
    where last_snapshot_ts is not null
    union all
    select user_id, snapshot_ts as ts, balance_total as balance, false as is_virtual
    from wallet_snapshots
    union all
    select wallets.user_id, wallets.virtual_ts as ts, cast(0 as {{ money() }}) as balance, true as is_virtual
    from wallets
    left join base on wallets.user_id = base.user_id and base.last_snapshot_ts is not null
    where wallets.virtual_ts is not null and base.user_id is null and wallets.virtual_ts <= {{ span.range_end }}

),

ordered_points as (

    select
        user_id,
        ts,
        balance,
        is_virtual,
        lead(ts) over (partition by user_id order by ts) as next_ts,
        lead(balance) over (partition by user_id order by ts) as next_balance,
        lead(is_virtual) over (partition by user_id order by ts) as next_is_virtual,
        row_number() over (partition by user_id order by ts) as point_rank,
        -- last day whose end lies before the point
        {{ day_number(kst_date('ts - interval 1 microsecond')) }} as n_from
    from points

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
        first_point.n_from as first_n_from,
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
        greatest(n_from, {{ span.n_base }}) as n_low,
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
        least(coalesce(first_n_from - 1, {{ span.n_last }}), {{ span.n_last }}) as n_high
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
    left join {{ ref('rule_days') }} as rule
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
