{{ config(materialized='table') }}

with days as (

    select * from {{ ref('controls_days') }}
    where entries_due

),

entry_types as (

    select * from {{ ref('entry_types') }}

),

due_refs as (

    select distinct entries.related_id
    from {{ ref('ledger_entries') }} as entries
    inner join days on entries.event_date_kst = days.date_kst
    where entries.related_id is not null

),

-- all entries that can pair and belong to something of a due day, whatever their own day
pairable as (

    select
        entries.tx_id,
        entries.wallet_id,
        entries.event_time,
        entries.related_id,
        entries.amount,
        entry_types.pair_role,
        least(entries.entry_type, entry_types.pair_with) as pair_kind
    from {{ ref('ledger_entries') }} as entries
    inner join entry_types on entries.entry_type = entry_types.entry_type and entry_types.pair_role is not null
    where entries.related_id in (select related_id from due_refs)

),

ranked as (

    select
        *,
        row_number() over (
            partition by related_id, amount, pair_kind, pair_role
            order by event_time, tx_id, wallet_id
        ) as side_rank
    from pairable

),

final as (

    select
        mine.tx_id,
        mine.wallet_id,
        mine.related_id,
        other.tx_id as paired_tx_id
    from ranked as mine
    left join ranked as other
        on mine.related_id = other.related_id
        and mine.amount = other.amount
        and mine.pair_kind = other.pair_kind
        and mine.pair_role <> other.pair_role
        and mine.side_rank = other.side_rank
        and mine.wallet_id <> other.wallet_id

)

select * from final
