{%- set span = wallet_range() %}

with base as (

    select * from {{ ref('int_wallets_at_base_day') }}

),

wallet_snapshots as (

    select user_id, snapshot_ts, balance_total from {{ ref('wallet_snapshot') }}
    where snapshot_ts > {{ span.base_end }} and snapshot_ts <= {{ span.range_end }}

),

wallets as (

    select * from {{ ref('int_known_wallets') }}

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
    where wallets.virtual_ts is not null and base.user_id is null and wallets.virtual_ts <= {{ span.range_end }}

),

final as (

    select
        user_id,
        ts,
        balance,
        is_virtual,
        lead(ts) over (partition by user_id order by ts) as next_ts,
        lead(balance) over (partition by user_id order by ts) as next_balance,
        lead(is_virtual) over (partition by user_id order by ts) as next_is_virtual,
        row_number() over (partition by user_id order by ts) as point_rank,
        -- first day whose end is at or after the point
        {{ day_number(kst_date('ts - interval 1 microsecond')) }} as first_end_n
    from points

)

select * from final
