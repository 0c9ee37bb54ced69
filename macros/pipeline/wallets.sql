{#-
  The days that wallets are rolled over, see model int_wallet_range. Read as values, so that older partitions are skipped
  unread.
-#}
{% macro wallet_range() -%}
    {%- set kept = read_row('select * from ' ~ ref('int_wallet_range'), {
        'base_day': none,
        'base': modules.datetime.date(1, 1, 1),
        'base_end': '0001-01-01 00:00:00',
        'n_base': 0,
        'n_last': 0,
        'range_end': '0001-01-01 00:00:00',
        'tolerance_us': 0,
    }) -%}
    {{ return({
        'base_day': kept.base_day,
        'base': "date '" ~ kept.base ~ "'",
        'base_end': "timestamp '" ~ kept.base_end ~ "'",
        'n_base': kept.n_base | int,
        'n_last': kept.n_last | int,
        'range_end': "timestamp '" ~ kept.range_end ~ "'",
        'tolerance_us': kept.tolerance_us | int,
    }) }}
{%- endmacro %}

{#- Ledger entries of the range, with the number of their KST day. -#}
{% macro entries_in_range(span) -%}
    select
        wallet_id as user_id,
        event_time,
        amount_signed,
        {{ day_number('event_date_kst') }} as n
    from {{ ref('ledger_entries') }}
    where event_time >= {{ span.base_end }} and event_time <= {{ span.range_end }}
{%- endmacro %}

{#-
  Instant of the virtual snapshot of 0: a wallet that is new to a running feed starts with nothing, just before its first
  entry. NULL for any other wallet.
-#}
{% macro virtual_snapshot(first_entry_ts, first_snapshot_ts, feed_start) -%}
    case
        when {{ first_entry_ts }} < {{ first_snapshot_ts }} and {{ feed_start }} < {{ first_entry_ts }}
            then {{ first_entry_ts }} - interval 1 microsecond
    end
{%- endmacro %}

{#-
  Every wallet at an instant, from the whole history: its latest snapshot (real, or the virtual one of a
  new wallet), the flow since, its first entry and its first snapshot. Used where no computed day can serve as base.
-#}
{% macro wallets_from_scratch(at) -%}
        with history as (
            select user_id, snapshot_ts, balance_total from {{ ref('wallet_snapshot') }}
        ),
        seen as (
            select
                coalesce(entries.user_id, snapshots.user_id) as user_id,
                entries.first_entry_ts,
                snapshots.first_snapshot_ts,
                snapshots.last_snapshot_ts,
                snapshots.last_snapshot_balance,
                feed.feed_start
            from (
                select wallet_id as user_id, min(event_time) as first_entry_ts
                from {{ ref('ledger_entries') }} where event_time < {{ at }} group by wallet_id
            ) as entries
            full outer join (
                select
                    user_id,
                    min(snapshot_ts) as first_snapshot_ts,
                    max(case when snapshot_ts <= {{ at }} then snapshot_ts end) as last_snapshot_ts,
                    max_by(balance_total, case when snapshot_ts <= {{ at }} then snapshot_ts end) as last_snapshot_balance
                from history group by user_id
            ) as snapshots on entries.user_id = snapshots.user_id
            cross join (select min(snapshot_ts) as feed_start from history) as feed
        ),
        placed as (
            select
                *,
                case when last_snapshot_ts is null then {{ virtual_snapshot('first_entry_ts', 'first_snapshot_ts', 'feed_start') }} end as virtual_ts
            from seen
            where first_entry_ts is not null or last_snapshot_ts is not null
        )
        select
            placed.user_id,
            coalesce(placed.last_snapshot_ts, placed.virtual_ts) as last_snapshot_ts,
            case when placed.last_snapshot_ts is not null then placed.last_snapshot_balance when placed.virtual_ts is not null then 0 end as last_snapshot_balance,
            placed.last_snapshot_ts is null and placed.virtual_ts is not null as last_snapshot_is_virtual,
            coalesce(sum(entries.amount_signed), 0) as flow_since_snapshot,
            placed.first_entry_ts,
            case when placed.first_snapshot_ts <= {{ at }} then placed.first_snapshot_ts end as first_snapshot_ts
        from placed
        left join {{ ref('ledger_entries') }} as entries
            on placed.user_id = entries.wallet_id
            and entries.event_time < {{ at }}
            and entries.event_time > coalesce(placed.last_snapshot_ts, placed.virtual_ts, timestamp '0001-01-01 00:00:00')
        group by
            placed.user_id, placed.last_snapshot_ts, placed.last_snapshot_balance, placed.virtual_ts,
            placed.first_entry_ts, placed.first_snapshot_ts
{%- endmacro %}
