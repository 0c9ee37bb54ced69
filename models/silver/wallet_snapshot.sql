{{ config(
    incremental_strategy='merge_scoped',
    unique_key=['snapshot_ts', 'user_id'],
    meta={
        'scope': {'ref': 'int_wallet_snapshot_checked', 'when': "action = 'delete'", 'on': ['snapshot_ts', 'user_id']},
        'existing': {'ref': 'int_wallet_snapshot_checked', 'when': 'action is not null and old_version_ts is not null'},
    },
) }}

-- depends_on: {{ ref('change_log') }}
with checked as (

    select * from {{ ref('int_wallet_snapshot_checked') }}
    where action = 'upsert' and {{ gate_is_open() }}

),

final as (

    select
        snapshot_ts,
        snapshot_date_kst,
        user_id,
        balance_available,
        balance_frozen,
        balance_total,
        source_updated_at,
        {{ run_id() }} as run_id,
        rule_id,
        version_ts
    from checked

)

select * from final
