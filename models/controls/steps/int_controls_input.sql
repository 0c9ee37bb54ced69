{{ config(meta={'reads': ['ledger_supply_balance_daily'], 'steers': true}) }}

-- depends_on: {{ ref('int_silver_completed_run') }}
{%- set changes = changes_to_consume('pipeline_b') %}

with {{ days_of_lake('pipeline_b', changes.from_seq, 'select date_kst from ' ~ stored_table('ledger_supply_balance_daily')) }},

tolerance as (

    select cast(coalesce(max(threshold), 0) * 3600000000 as bigint) as tolerance_us
    from {{ ref('int_rule_days') }}
    where metric = 'snapshot_tolerance_hours'

),

moved_entries as (

    select min(least(coalesce(old_ts, new_ts), coalesce(new_ts, old_ts))) as first_moved_entry_ts
    from {{ ref('change_log') }}
    where change_seq > {{ changes.from_seq }} and table_name = 'silver.ledger_entries'

),

final as (

    select
        cast({{ changes.from_seq }} as bigint) as from_seq,
        cast({{ changes.to_seq }} as bigint) as to_seq,
        lake_days.*,
        tolerance.tolerance_us,
        moved_entries.first_moved_entry_ts
    from lake_days
    cross join tolerance
    cross join moved_entries

)

select * from final
