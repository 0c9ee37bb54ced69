{{ config(incremental_strategy='append') }}

{#- subject: whom a change concerns; ref: what ties rows together (related_id, order_id); day, ts: when. -#}
{%- set tables = {
    'wallet_snapshot': {'key': ['user_id', 'snapshot_ts'], 'subject': 'user_id', 'ref': none, 'day': 'snapshot_date_kst', 'ts': 'snapshot_ts', 'ts_is_key': true},
    'ledger_entries': {'key': ['tx_id', 'wallet_id'], 'subject': 'wallet_id', 'ref': 'related_id', 'day': 'event_date_kst', 'ts': 'event_time'},
    'order_events': {'key': ['order_source', 'order_ref'], 'subject': 'order_ref', 'ref': none, 'day': 'event_date_kst', 'ts': 'event_time'},
    'order_items': {'key': ['item_id'], 'subject': 'item_id', 'ref': 'order_ref', 'day': none, 'ts': none},
    'products': {'key': ['product_id'], 'subject': 'product_id', 'ref': none, 'day': none, 'ts': none},
} %}

with changes as (
    {% for name, t in tables.items() %}
    select
        'silver.{{ name }}' as table_name,
        concat({% for k in t.key %}cast({{ k }} as string){{ ", '|', " if not loop.last }}{% endfor %}) as row_key,
        cast({{ t.subject }} as string) as subject,
        {% if t.day %}old_{{ t.day }}{% else %}cast(null as date){% endif %} as old_date_kst,
        {% if t.day %}{{ t.day }}{% else %}cast(null as date){% endif %} as new_date_kst,
        {% if t.ts_is_key %}case when old_{{ t.day }} is not null then {{ t.ts }} end{% elif t.ts %}old_{{ t.ts }}{% else %}cast(null as timestamp){% endif %} as old_ts,
        {% if t.ts_is_key %}case when {{ t.day }} is not null then {{ t.ts }} end{% elif t.ts %}{{ t.ts }}{% else %}cast(null as timestamp){% endif %} as new_ts,
        {% if t.ref %}old_{{ t.ref }}{% else %}cast(null as string){% endif %} as old_ref,
        {% if t.ref %}{{ t.ref }}{% else %}cast(null as string){% endif %} as new_ref
    from {{ ref('int_' ~ name ~ '_checked') }}
    where action is not null and is_content_change
        and {{ gate_is_open() }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

final as (

    select
        {{ read_value('select max(change_seq) from ' ~ this, 0) }} + {{ row_sequence() }} as change_seq,
        table_name,
        row_key,
        subject,
        old_date_kst,
        new_date_kst,
        old_ts,
        new_ts,
        old_ref,
        new_ref,
        {{ run_id() }} as run_id,
        {{ as_of() }} as changed_at
    from changes

)

select * from final
