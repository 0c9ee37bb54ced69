{{ config(
    pre_hook="{{ remove_obsolete_days('pipeline_b', 'int_controls_days', obsolete_controls_days()) }}",
    meta={'reads': ['wallet_balance_daily', 'ledger_supply_balance_daily'], 'writes': ['pipeline_day']},
) }}

-- depends_on: {{ ref('int_silver_completed_run') }}
{#- read before the gate: what Silver writes in a run that begins later is left to the next run -#}
{%- set to_seq = read_value("select max(change_seq) from " ~ ref('change_log'), 0) %}
{{- assert_pipeline_ready('pipeline_b') }}
{%- set from_seq = read_value("select consumed_change_seq from " ~ ref('pipeline_state') ~ " where pipeline_name = 'pipeline_b'", 0) %}
{%- set tolerance_us = read_value("select max(threshold) * 3600000000 from " ~ ref('int_rule_days') ~ " where metric = 'snapshot_tolerance_hours'", 0) | int %}
{%- set obsolete = obsolete_controls_days() %}
{%- set last_day = read_value(
    "select max(date_kst) from " ~ ref('pipeline_day') ~ " where pipeline_name = 'pipeline_b'"
    ~ (" and date_kst not in " ~ date_literals(obsolete) if obsolete else ""), ''
) %}
{%- set has_computed = last_day | string | length > 0 %}
{%- set last_computed = "date '" ~ (last_day or '0001-01-01') ~ "'" %}
{%- set positions = stored_table('wallet_balance_daily') %}
{%- set first_moved_entry = "timestamp '" ~ read_value(
    "select min(least(coalesce(old_ts, new_ts), coalesce(new_ts, old_ts))) from " ~ ref('change_log')
    ~ " where change_seq > " ~ from_seq ~ " and table_name = 'silver.ledger_entries'", '9999-12-31 00:00:00'
) ~ "'" %}

with entry_changes as (

    select subject, old_ts, new_ts, old_date_kst, new_date_kst, old_ref, new_ref from {{ ref('change_log') }}
    where change_seq > {{ from_seq }} and table_name = 'silver.ledger_entries'

),

snapshot_changes as (

    select subject, old_ts, new_ts from {{ ref('change_log') }}
    where change_seq > {{ from_seq }} and table_name = 'silver.wallet_snapshot'

),

payment_order_changes as (

    select subject as order_ref, old_date_kst, new_date_kst from {{ ref('change_log') }}
    where change_seq > {{ from_seq }} and table_name = 'silver.order_events' and row_key like 'PAYMENT_ORDERS|%'

),

computed as (

    select date_kst, inputs_digest, is_named from {{ ref('pipeline_day') }}
    where pipeline_name = 'pipeline_b'

),

requested as (

    {{ requested_days('pipeline_b', from_seq) }}

),

-- wallets as of the last computed day
wallets as (

    select user_id, first_entry_ts, first_snapshot_ts
    from {{ positions }}
    where date_kst = {{ last_computed }}

),

feed as (

    select min(first_snapshot_ts) as first_snapshot_ts from wallets

),

-- where a changed snapshot or entry was and where it is now
moved as (

    select subject, old_ts as ts, false as is_snapshot from entry_changes where old_ts is not null
    union all
    select subject, new_ts as ts, false as is_snapshot from entry_changes where new_ts is not null
    union all
    select subject, old_ts as ts, true as is_snapshot from snapshot_changes where old_ts is not null
    union all
    select subject, new_ts as ts, true as is_snapshot from snapshot_changes where new_ts is not null

),

-- where the snapshot that closes a day is later than its end, the flow from the end to the snapshot is taken back out of
-- it, so that an entry in between alters the day before its own
late_closings as (

    select user_id, date_kst, closing_ts
    from {{ positions }}
    where closing_age_us <= 0
        and date_kst >= {{ kst_date(from_epoch_us(epoch_us(first_moved_entry) ~ ' - ' ~ tolerance_us ~ ' - 1')) }}

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
            {{ kst_date(from_epoch_us(epoch_us('moved.ts') ~ " - case when moved.is_snapshot then " ~ tolerance_us ~ " + 1 else 0 end")) }},
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
    where first_day <= {{ last_computed }} or moves_feed_start

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

altered as (

    select distinct
        case when late.moves_feed_start then date '0001-01-01' else late.first_day end as first_day,
        case
            when late.moves_feed_start then date '9999-12-31'
            else coalesce({{ kst_date('later_snapshots.next_ts') }}, date '9999-12-31')
        end as last_day
    from late
    left join later_snapshots on late.subject = later_snapshots.subject and late.ts = later_snapshots.ts

),

-- entries whose own row or pair a change can alter
touched_refs as (

    select old_ref as related_id from entry_changes where old_ref is not null
    union
    select new_ref as related_id from entry_changes where new_ref is not null
    union
    select order_ref as related_id from payment_order_changes

),

entry_days as (

    select distinct event_date_kst as date_kst from {{ ref('ledger_entries') }}
    where related_id in (select related_id from touched_refs){{ ' and 1 = 0' if not has_computed }}
    union
    select old_date_kst as date_kst from entry_changes
    union
    select new_date_kst as date_kst from entry_changes

),

payment_days as (

    select old_date_kst as date_kst from payment_order_changes
    union
    select new_date_kst as date_kst from payment_order_changes

),

known_days as (

    select date_kst from computed
    union
    select date_kst from requested

),

digests as (

    {{ controls_inputs_digest('known_days') }}

),

outdated as (

    select computed.date_kst
    from computed
    inner join digests on computed.date_kst = digests.date_kst
    where computed.inputs_digest is distinct from digests.inputs_digest

),

altered_days as (

    select distinct known_days.date_kst
    from known_days
    inner join altered on known_days.date_kst between altered.first_day and altered.last_day

),

flagged as (

    select
        known_days.date_kst,
        digests.inputs_digest,
        requested.date_kst is not null as is_requested,
        coalesce(computed.is_named, false) or coalesce(requested.is_unreached, false) as is_named,
        (requested.date_kst is not null or outdated.date_kst is not null) as is_whole,
        altered_days.date_kst is not null as is_altered,
        known_days.date_kst >= least(
            coalesce((select min(altered.first_day) from altered), date '9999-12-31'),
            coalesce((select min(again.date_kst) from outdated as again), date '9999-12-31')
        ) as is_after_alteration,
        entry_days.date_kst is not null as has_entries,
        payment_days.date_kst is not null as has_payments
    from known_days
    inner join digests on known_days.date_kst = digests.date_kst
    left join requested on known_days.date_kst = requested.date_kst
    left join computed on known_days.date_kst = computed.date_kst
    left join outdated on known_days.date_kst = outdated.date_kst
    left join altered_days on known_days.date_kst = altered_days.date_kst
    left join entry_days on known_days.date_kst = entry_days.date_kst
    left join payment_days on known_days.date_kst = payment_days.date_kst

),

final as (

    select
        date_kst,
        {{ kst_day_start('date_kst') }} as day_start,
        {{ kst_day_end('date_kst') }} as day_end,
        {{ day_number('date_kst') }} as day_number,
        is_requested,
        is_named,
        is_whole or is_altered as recon_due,
        is_whole or is_after_alteration as supply_due,
        is_whole or has_entries as entries_due,
        is_whole or has_payments as payments_due,
        inputs_digest,
        cast({{ to_seq }} as bigint) as to_seq
    from flagged

)

select * from final
where recon_due or supply_due or entries_due or payments_due
