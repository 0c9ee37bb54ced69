{{ config(
    incremental_strategy='merge_scoped',
    unique_key=['event_date_kst', 'tx_id', 'wallet_id'],
    meta={'scope': {'ref': 'int_controls_days', 'when': 'entries_due', 'on': ['event_date_kst'], 'as': ['date_kst']}},
) }}

with days as (

    select date_kst as event_date_kst from {{ ref('int_controls_days') }}
    where entries_due

),

entries as (

    select entries.*
    from {{ ref('ledger_entries') }} as entries
    inner join days on entries.event_date_kst = days.event_date_kst

),

entry_types as (

    select * from {{ ref('entry_types') }}

),

payment_orders as (

    select order_ref, merchant_name, status from {{ ref('order_events') }}
    where order_source = 'PAYMENT_ORDERS'

),

-- all entries that can pair and belong to something of a due day, whatever their own day
pairable as (

    select
        candidates.tx_id,
        candidates.wallet_id,
        candidates.event_time,
        candidates.related_id,
        candidates.amount,
        candidates.entry_type
    from {{ ref('ledger_entries') }} as candidates
    inner join entry_types on candidates.entry_type = entry_types.entry_type and entry_types.pair_with is not null
    where candidates.related_id in (
        select due.related_id
        from {{ ref('ledger_entries') }} as due
        inner join days on due.event_date_kst = days.event_date_kst
        where due.related_id is not null
    )

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

other_sides as (

    select
        pairable.tx_id,
        pairable.wallet_id,
        pairable.related_id,
        pairable.amount,
        pairable.entry_type,
        coalesce(ranks.side_rank, 1) as side_rank
    from pairable
    left join ranks on pairable.tx_id = ranks.tx_id and pairable.wallet_id = ranks.wallet_id

),

sides as (

    select
        entries.*,
        entry_types.pair_with,
        coalesce(ranks.side_rank, 1) as side_rank
    from entries
    left join entry_types on entries.entry_type = entry_types.entry_type
    left join ranks on entries.tx_id = ranks.tx_id and entries.wallet_id = ranks.wallet_id

),

final as (

    select
        sides.event_date_kst,
        sides.tx_id,
        sides.wallet_id,
        sides.entry_type,
        sides.amount,
        sides.amount_signed,
        sides.event_time,
        sides.related_id,
        case when payment_orders.order_ref is not null then 'PAYMENT_ORDER' end as related_type,
        payment_orders.merchant_name,
        payment_orders.status as payment_status,
        other_sides.tx_id as paired_tx_id,
        {{ run_id() }} as run_id,
        cast(null as string) as rule_id
    from sides
    left join payment_orders on sides.related_id = payment_orders.order_ref
    left join other_sides
        on sides.related_id = other_sides.related_id
        and sides.amount = other_sides.amount
        and sides.pair_with = other_sides.entry_type
        and sides.side_rank = other_sides.side_rank
        and sides.wallet_id <> other_sides.wallet_id

)

select * from final
