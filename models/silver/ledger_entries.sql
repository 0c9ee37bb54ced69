{{ config(
    incremental_strategy='merge_scoped',
    unique_key=['tx_id', 'wallet_id'],
    meta={
        'scope': {'ref': 'int_ledger_entries_checked', 'when': "action = 'delete'", 'on': ['tx_id', 'wallet_id']},
        'existing': {'when': '1 = 1'},
    },
) }}
{#- Orders that changed since the last run that succeeded: a run that was killed may have stored the order alone. -#}
{%- set from_seq = read_value("select consumed_change_seq from " ~ ref('pipeline_state') ~ " where pipeline_name = 'pipeline_silver'", 0) %}

with checked as (

    select * from {{ ref('int_ledger_entries_checked') }}
    where action = 'upsert' and {{ gate_is_open() }}

),

changed_orders as (

    select distinct subject as order_ref from {{ ref('change_log') }}
    where change_seq > {{ from_seq }} and table_name = 'silver.order_events' and row_key like 'PAYMENT_ORDERS|%'
        and {{ gate_is_open() }}

),

-- latest status of every payment order
order_status as (

    select order_ref, status from {{ ref('order_events') }}
    where order_source = 'PAYMENT_ORDERS'

),

new_entries as (

    select
        checked.tx_id,
        checked.wallet_id,
        checked.event_time,
        checked.event_date_kst,
        checked.entry_type,
        checked.amount,
        checked.amount_signed,
        checked.related_id,
        cast(null as string) as related_type,
        order_status.status,
        checked.created_at,
        {{ run_id() }} as run_id,
        checked.rule_id,
        checked.version_ts
    from checked
    left join order_status on checked.related_id = order_status.order_ref

),

-- entries that stand already and whose payment order got another status
refreshed_entries as (

    select
        entries.tx_id,
        entries.wallet_id,
        entries.event_time,
        entries.event_date_kst,
        entries.entry_type,
        entries.amount,
        entries.amount_signed,
        entries.related_id,
        entries.related_type,
        order_status.status,
        entries.created_at,
        {{ run_id() }} as run_id,
        entries.rule_id,
        entries.version_ts
    from {{ this }} as entries
    inner join changed_orders on entries.related_id = changed_orders.order_ref
    left join order_status on entries.related_id = order_status.order_ref
    where entries.status is distinct from order_status.status
        and not exists (
            select 1 from {{ ref('int_ledger_entries_checked') }} as touched
            where touched.action is not null and touched.tx_id = entries.tx_id and touched.wallet_id = entries.wallet_id
        )

),

final as (

    select * from new_entries
    union all
    select * from refreshed_entries

)

select * from final
