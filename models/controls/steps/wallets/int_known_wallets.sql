{%- set span = wallet_range() %}

with base as (

    select * from {{ ref('int_wallets_at_base_day') }}

),

wallet_snapshots as (

    select user_id, snapshot_ts from {{ ref('wallet_snapshot') }}
    where snapshot_ts > {{ span.base_end }} and snapshot_ts <= {{ span.range_end }}

),

ledger_entries as (

    {{ entries_in_range(span) }}

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

final as (

    select
        coalesce(first_entries.user_id, first_snapshots.user_id) as user_id,
        first_entries.first_entry_ts,
        first_snapshots.first_snapshot_ts,
        {{ virtual_snapshot('first_entries.first_entry_ts', 'first_snapshots.first_snapshot_ts', 'feed.feed_start') }} as virtual_ts
    from first_entries
    full outer join first_snapshots on first_entries.user_id = first_snapshots.user_id
    cross join feed

)

select * from final
