{{ config(meta={'reads': ['wallet_balance_daily']}) }}

{%- set input = days_input(ref('int_controls_input')) %}
{%- set positions = stored_table('wallet_balance_daily') %}

-- where a changed entry or snapshot was and where it is now
with moved as (

    select subject, old_ts as ts, table_name = 'silver.wallet_snapshot' as is_snapshot
    from {{ ref('change_log') }}
    where change_seq > {{ input.from_seq }}
        and table_name in ('silver.ledger_entries', 'silver.wallet_snapshot')
        and old_ts is not null
    union all
    select subject, new_ts as ts, table_name = 'silver.wallet_snapshot' as is_snapshot
    from {{ ref('change_log') }}
    where change_seq > {{ input.from_seq }}
        and table_name in ('silver.ledger_entries', 'silver.wallet_snapshot')
        and new_ts is not null

),

-- wallets as of the last computed day
wallets as (

    select user_id, first_entry_ts, first_snapshot_ts
    from {{ positions }}
    where date_kst = {{ input.last_computed }}

),

feed as (

    select min(first_snapshot_ts) as first_snapshot_ts from wallets

),

-- where the snapshot that closes a day is later than its end, the flow from the end to the snapshot is taken back out of
-- it, so that an entry in between alters the day before its own
late_closings as (

    select user_id, date_kst, closing_ts
    from {{ positions }}
    where closing_age_us <= 0
        and date_kst >= {{ kst_date(from_epoch_us(epoch_us(input.first_moved_entry) ~ ' - ' ~ input.tolerance_us ~ ' - 1')) }}

),

taken_back as (

    select
        moved.subject,
        moved.ts,
        min(late_closings.date_kst) as first_day
    from moved
    inner join late_closings
        on moved.subject = late_closings.user_id
        and moved.ts <= late_closings.closing_ts
        and late_closings.date_kst < {{ kst_date('moved.ts') }}
    where not moved.is_snapshot
        and moved.ts <= (select max(latest.closing_ts) from late_closings as latest)
    group by moved.subject, moved.ts

),

-- earliest day a change can alter: a snapshot serves boundaries up to the tolerance before it, and the first
-- snapshot of a wallet decides how the wallet opens, from its first entry on
reaching as (

    select
        moved.subject,
        moved.ts,
        least(
            {{ kst_date(from_epoch_us(epoch_us('moved.ts') ~ " - case when moved.is_snapshot then " ~ input.tolerance_us ~ " + 1 else 0 end")) }},
            case
                when moved.is_snapshot and moved.ts <= coalesce(wallets.first_snapshot_ts, moved.ts)
                    then coalesce({{ kst_date('wallets.first_entry_ts') }}, date '9999-12-31')
                else date '9999-12-31'
            end,
            coalesce(taken_back.first_day, date '9999-12-31')
        ) as first_day,
        coalesce(moved.is_snapshot and moved.ts <= feed.first_snapshot_ts, false) as moves_feed_start
    from moved
    left join wallets on moved.subject = wallets.user_id
    left join taken_back on moved.subject = taken_back.subject and moved.ts = taken_back.ts
    cross join feed

),

late as (

    select * from reaching
    where first_day <= {{ input.last_computed }} or moves_feed_start

),

-- latest day it can alter: that of the wallet's next snapshot
later_snapshots as (

    select
        late.subject,
        late.ts,
        min(snapshots.snapshot_ts) as next_ts
    from late
    inner join {{ ref('wallet_snapshot') }} as snapshots
        on late.subject = snapshots.user_id and late.ts < snapshots.snapshot_ts
    group by late.subject, late.ts

),

final as (

    select distinct
        case when late.moves_feed_start then date '0001-01-01' else late.first_day end as first_day,
        case
            when late.moves_feed_start then date '9999-12-31'
            else coalesce({{ kst_date('later_snapshots.next_ts') }}, date '9999-12-31')
        end as last_day
    from late
    left join later_snapshots on late.subject = later_snapshots.subject and late.ts = later_snapshots.ts

)

select * from final
