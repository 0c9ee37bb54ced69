{{ config(
    incremental_strategy='merge_scoped',
    unique_key=['date_kst', 'user_id'],
    meta={'scope': {'ref': 'int_controls_days', 'when': 'supply_due', 'on': ['date_kst']}},
) }}

with days as (

    select * from {{ ref('int_controls_days') }}
    where supply_due

),

wallet_days as (

    select * from {{ ref('int_wallet_days') }}

),

final as (

    select
        wallet_days.date_kst,
        wallet_days.user_id,
        wallet_days.balance_total,
        wallet_days.closing_ts,
        wallet_days.closing_age_us > 0 and wallet_days.is_beyond_tolerance as is_stale,
        wallet_days.closing_age_us,
        wallet_days.last_snapshot_ts,
        wallet_days.last_snapshot_balance,
        wallet_days.last_snapshot_is_virtual,
        wallet_days.flow_since_snapshot,
        wallet_days.first_entry_ts,
        wallet_days.first_snapshot_ts,
        {{ run_id() }} as run_id
    from wallet_days
    inner join days on wallet_days.date_kst = days.date_kst

)

select * from final
