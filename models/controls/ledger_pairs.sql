{{ config(materialized='table') }}

with days as (

    select * from {{ ref('controls_days') }}
    where entries_due

),

entry_types as (

    select * from {{ ref('entry_types') }}

),

due_refs as (

    select entries.related_id
    from {{ ref('ledger_entries') }} as entries
    inner join days on entries.event_date_kst = days.date_kst
    where entries.related_id is not null

),

-- all entries that can pair and belong to something of a due day, whatever their own day
pairable as (

    select
        entries.tx_id,
        entries.wallet_id,
        entries.event_date_kst,
        entries.event_time,
        entries.related_id,
        entries.amount,
        entries.entry_type,
        entry_types.pair_with
    from {{ ref('ledger_entries') }} as entries
    inner join entry_types on entries.entry_type = entry_types.entry_type and entry_types.pair_role is not null
    where entries.related_id in (select related_id from due_refs)

),

-- several entries on one side: few as a rule, so that ranking them costs little
crowded_sides as (

    select related_id, amount, entry_type from pairable
    group by related_id, amount, entry_type
    having count(*) > 1

),

ranks as (

    select
        pairable.tx_id,
        pairable.wallet_id,
        row_number() over (
            partition by pairable.related_id, pairable.amount, pairable.entry_type
            order by pairable.event_time, pairable.tx_id, pairable.wallet_id
        ) as side_rank
    from pairable
    inner join crowded_sides
        on pairable.related_id = crowded_sides.related_id
        and pairable.amount = crowded_sides.amount
        and pairable.entry_type = crowded_sides.entry_type

),

ranked as (

    select
        pairable.*,
        coalesce(ranks.side_rank, 1) as side_rank
    from pairable
    left join ranks on pairable.tx_id = ranks.tx_id and pairable.wallet_id = ranks.wallet_id

),

final as (

    select
        mine.tx_id,
        mine.wallet_id,
        mine.event_date_kst,
        mine.related_id,
        other.tx_id as paired_tx_id
    from ranked as mine
    left join ranked as other
        on mine.related_id = other.related_id
        and mine.amount = other.amount
        and mine.pair_with = other.entry_type
        and mine.side_rank = other.side_rank
        and mine.wallet_id <> other.wallet_id

)

select * from final
