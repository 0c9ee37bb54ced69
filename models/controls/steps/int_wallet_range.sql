{{ config(meta={'reads': ['wallet_balance_daily']}) }}

with due as (

    select
        coalesce(min(case when supply_due then date_kst end), date '9999-12-30') as first_due,
        coalesce(max(case when supply_due then date_kst end), date '0001-01-02') as last_due
    from {{ ref('int_controls_days') }}

),

tolerance as (

    select cast(coalesce(max(threshold), 0) * 3600000000 as bigint) as tolerance_us
    from {{ ref('int_rule_days') }}
    where metric = 'snapshot_tolerance_hours'

),

computed as (

    select max(balances.date_kst) as base_day
    from {{ stored_table('wallet_balance_daily') }} as balances
    cross join due
    where balances.date_kst < due.first_due

),

bounded as (

    select
        computed.base_day,
        coalesce(computed.base_day, {{ from_day_number(day_number('due.first_due') ~ ' - 1') }}) as base,
        due.last_due,
        tolerance.tolerance_us
    from due
    cross join tolerance
    cross join computed

),

final as (

    select
        base_day,
        base,
        {{ kst_day_end('base') }} as base_end,
        {{ day_number('base') }} as n_base,
        {{ day_number('last_due') }} as n_last,
        {{ from_epoch_us(epoch_us(kst_day_end('last_due')) ~ ' + tolerance_us') }} as range_end,
        tolerance_us
    from bounded

)

select * from final
