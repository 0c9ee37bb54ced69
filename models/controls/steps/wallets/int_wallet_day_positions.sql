{%- set span = wallet_range() %}

with opened as (

    select * from {{ ref('int_wallet_day_boundaries') }}

),

ledger_entries as (

    {{ entries_in_range(span) }}

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

-- a snapshot of the instant at which the base day ends is in the base, but is dated the day after
snapshot_days as (

    select distinct user_id, {{ day_number('snapshot_date_kst') }} as n from {{ ref('wallet_snapshot') }}
    where snapshot_ts >= {{ span.base_end }} and snapshot_ts <= {{ span.range_end }}

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
        case when opened.is_base_day then coalesce(opened.base_flow, 0) else coalesce(day_flows.flow_after_prev, 0) end as flow_after_prev
    from opened
    left join day_flows on opened.user_id = day_flows.user_id and opened.n = day_flows.n
    left join next_flows on opened.user_id = next_flows.user_id and opened.n = next_flows.n
    left join snapshot_days on opened.user_id = snapshot_days.user_id and opened.n = snapshot_days.n

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

final as (

    select
        *,
        -- from the closing snapshot to the end of the day, backwards where it is later than the end
        case when closes_after_day then -flow_before_closing else flow_since_snapshot end as roll_to_end
    from positions

)

select * from final
