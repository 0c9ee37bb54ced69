{{ config(materialized='table') }}

{#-
  The days computed are contiguous: from the last clean balance before the first day that is due, to the last day that
  is due. Their limits are read as values, so that older partitions are skipped unread.
-#}
{%- set days = ref('controls_days') %}
{%- set positions = standing('gold', 'wallet_balance_daily') %}
{%- set first_due = read_value('select min(date_kst) from ' ~ days ~ ' where supply_due', '9999-12-30') %}
{%- set last_due = read_value('select max(date_kst) from ' ~ days ~ ' where supply_due', '0001-01-02') %}
{%- set base_day = read_value("select max(date_kst) from " ~ positions ~ " where date_kst < date '" ~ first_due ~ "'", none) %}
{%- set before_first = read_value("select " ~ from_day_number(day_number("date '" ~ first_due ~ "'") ~ " - 1"), first_due) %}
{%- set base = "date '" ~ (base_day or before_first) ~ "'" %}
{%- set base_end = "timestamp '" ~ read_value('select ' ~ kst_day_end(base), '9999-12-30 00:00:00') ~ "'" %}
{%- set n_base = read_value('select ' ~ day_number(base), 0) | int %}
{%- set n_last = read_value('select ' ~ day_number("date '" ~ last_due ~ "'"), 0) | int %}
{%- set tolerance_us = read_value("select max(threshold) * 3600000000 from " ~ ref('rule_days') ~ " where metric = 'snapshot_tolerance_hours'", 0) | int %}
{%- set range_end = "timestamp '" ~ read_value('select ' ~ from_epoch_us(epoch_us(kst_day_end("date '" ~ last_due ~ "'")) ~ ' + ' ~ tolerance_us), '0001-01-01 00:00:00') ~ "'" %}

with wallet_snapshots as (

    select user_id, snapshot_ts, balance_total from {{ ref('wallet_snapshot') }}
    where snapshot_ts > {{ base_end }} and snapshot_ts <= {{ range_end }}

),

ledger_entries as (

    select
        wallet_id as user_id,
        event_time,
        amount_signed,
        {{ day_number('event_date_kst') }} as n
    from {{ ref('ledger_entries') }}
    where event_time >= {{ base_end }} and event_time <= {{ range_end }}

),

-- every wallet as it stood at the end of the base day
base as (
{% if base_day %}
    select
        user_id,
        last_snapshot_ts,
        last_snapshot_balance,
        last_snapshot_is_virtual,
        flow_since_snapshot,
        first_entry_ts,
        first_snapshot_ts
    from {{ positions }}
    where date_kst = {{ base }}
{% else %}
    select
        user_id,
        last_snapshot_ts,
        last_snapshot_balance,
        last_snapshot_is_virtual,
        flow_since_snapshot,
        first_entry_ts,
        first_snapshot_ts
    from (
        {{ wallets_from_scratch(base_end) }}
    ) as scratch
{% endif %}
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
        where later.snapshot_ts > {{ range_end }}
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
    where wallets.virtual_ts is not null and base.user_id is null and wallets.virtual_ts <= {{ range_end }}

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
        first_point.n_from as first_n_from
    from wallets
    left join ordered_points as first_point on wallets.user_id = first_point.user_id and first_point.point_rank = 1

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
        greatest(n_from, {{ n_base }}) as n_low,
        least(
            coalesce({{ day_number(kst_date('next_ts - interval 1 microsecond')) }} - 1, {{ n_last }}), {{ n_last }}
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
                coalesce({{ day_number(kst_date('first_entry_ts')) }}, {{ n_last }} + 1),
                coalesce({{ day_number(kst_date(from_epoch_us(epoch_us('first_ts') ~ ' - ' ~ tolerance_us ~ ' - 1'))) }}, {{ n_last }} + 1)
            ),
            {{ n_base }}
        ) as n_low,
        least(coalesce(first_n_from - 1, {{ n_last }}), {{ n_last }}) as n_high
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
        from (select {{ explode_range(n_base, n_last) }} as n) as numbers
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

opened as (

    select
        closings.*,
        -- where a wallet without an opening boundary opens, once it has a closing one
        case when closings.closing_ts is not null then openings.first_ts end as first_ts,
        case when closings.closing_ts is not null then openings.first_balance end as first_balance,
        case when closings.closing_ts is not null then openings.first_is_virtual end as first_is_virtual,
        openings.first_ts is not null or openings.first_snapshot_ts is not null as has_snapshot,
        openings.first_entry_ts,
        openings.first_snapshot_ts
    from closings
    inner join openings on closings.user_id = openings.user_id

),

-- money that moved on the day, after the last snapshot of the day, and after the wallet's first snapshot
day_flows as (

    select
        opened.user_id,
        opened.n,
        count(*) as entry_cnt,
        max(entries.event_time) as last_entry_ts,
        sum(entries.amount_signed) as day_flow,
        sum(case when opened.prev_ts is null or entries.event_time > opened.prev_ts then entries.amount_signed else 0 end) as flow_after_prev,
        sum(case when entries.event_time > opened.first_ts then entries.amount_signed else 0 end) as flow_after_first
    from ledger_entries as entries
    inner join opened on entries.user_id = opened.user_id and entries.n = opened.n
    group by opened.user_id, opened.n

),

-- money that moved after the end of the day, up to the closing snapshot
next_flows as (

    select
        reaching.user_id,
        reaching.n,
        sum(entries.amount_signed) as flow_before_closing
    from (
        select
            user_id,
            n,
            closing_ts,
            {{ explode_range('n + 1', day_number(kst_date('closing_ts'))) }} as entry_n
        from opened
        where closes_after_day
    ) as reaching
    inner join ledger_entries as entries
        on reaching.user_id = entries.user_id and reaching.entry_n = entries.n and entries.event_time <= reaching.closing_ts
    group by reaching.user_id, reaching.n

),

-- a snapshot of the instant at which the base day ends stands in the base, but is dated the day after
snapshot_days as (

    select distinct user_id, {{ day_number('snapshot_date_kst') }} as n from {{ ref('wallet_snapshot') }}
    where snapshot_ts >= {{ base_end }} and snapshot_ts <= {{ range_end }}

),

moved as (

    select
        opened.*,
        coalesce(day_flows.entry_cnt, 0) as entry_cnt,
        snapshot_days.user_id is not null as has_snapshot_of_day,
        day_flows.last_entry_ts,
        coalesce(day_flows.day_flow, 0) as net_flow_kst_day,
        coalesce(day_flows.flow_after_first, 0) as flow_after_first,
        coalesce(next_flows.flow_before_closing, 0) as flow_before_closing,
        -- the base day brings the sum of the days before
        case when opened.n = {{ n_base }} then coalesce(base.flow_since_snapshot, 0) else coalesce(day_flows.flow_after_prev, 0) end as flow_after_prev
    from opened
    left join day_flows on opened.user_id = day_flows.user_id and opened.n = day_flows.n
    left join next_flows on opened.user_id = next_flows.user_id and opened.n = next_flows.n
    left join snapshot_days on opened.user_id = snapshot_days.user_id and opened.n = snapshot_days.n
    left join base on opened.n = {{ n_base }} and opened.user_id = base.user_id

),

-- money that moved since the latest snapshot at or before the end of the day; the stretch of a wallet with daily
-- snapshots holds one end, so that there is nothing to add up
positions as (

    select
        *,
        flow_after_prev as flow_since_snapshot
    from moved
    where not holds_several
    union all
    select
        *,
        sum(flow_after_prev) over (partition by user_id, prev_ts order by n rows between unbounded preceding and current row) as flow_since_snapshot
    from moved
    where holds_several

),

rolled as (

    select
        *,
        -- from the closing snapshot to the end of the day, backwards where it lies behind the end
        case when closes_after_day then -flow_before_closing else flow_since_snapshot end as roll_to_end
    from positions

),

-- the boundary at the end of the day before opens the day
spans as (

    select
        rolled.*,
        previous.user_id is not null as has_opening_boundary,
        case when previous.user_id is not null then previous.closing_ts else rolled.first_ts end as opening_ts,
        case when previous.user_id is not null then previous.closing_balance else rolled.first_balance end as opening_balance,
        case when previous.user_id is not null then previous.closing_is_virtual else rolled.first_is_virtual end as opening_is_virtual,
        previous.roll_to_end as opening_roll_to_end
    from rolled
    left join rolled as previous
        on rolled.user_id = previous.user_id and rolled.n - 1 = previous.n and previous.closing_ts is not null

),

final as (

    select
        {{ from_day_number('n') }} as date_kst,
        user_id,
        opening_ts,
        cast(opening_balance as {{ money() }}) as opening_balance,
        closing_ts,
        cast(closing_balance as {{ money() }}) as closing_balance,
        has_opening_boundary,
        opening_is_virtual,
        has_snapshot,
        has_snapshot_of_day,
        entry_cnt,
        last_entry_ts,
        cast(net_flow_kst_day as {{ money() }}) as net_flow_kst_day,
        cast(
            case
                when not has_opening_boundary
                    then case when closing_ts = opening_ts then 0 else flow_after_first - roll_to_end end
                else opening_roll_to_end + net_flow_kst_day - roll_to_end
            end as {{ money() }}
        ) as net_flow_span,
        cast(closing_balance + roll_to_end as {{ money() }}) as balance_total,
        closing_ts is not null and end_us - {{ epoch_us('closing_ts') }} > tolerance_us as is_beyond_tolerance,
        end_us - {{ epoch_us('closing_ts') }} as closing_age_us,
        prev_ts as last_snapshot_ts,
        cast(prev_balance as {{ money() }}) as last_snapshot_balance,
        prev_is_virtual as last_snapshot_is_virtual,
        cast(flow_since_snapshot as {{ money() }}) as flow_since_snapshot,
        case when first_entry_ts < {{ from_epoch_us('end_us') }} then first_entry_ts end as first_entry_ts,
        case when first_snapshot_ts <= {{ from_epoch_us('end_us') }} then first_snapshot_ts end as first_snapshot_ts,
        n
    from spans
    where n > {{ n_base }}
        -- a new wallet is not there before its first entry, though its virtual snapshot may lie near the end of the day
        and not coalesce(closing_is_virtual and first_entry_ts >= {{ from_epoch_us('end_us') }}, false)

)

select * from final
