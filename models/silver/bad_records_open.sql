{{ config(materialized='view') }}

{%- set keys = {
    'wallet_snapshot': ['snapshot_ts', 'user_id'],
    'ledger_entries': ['tx_id', 'wallet_id'],
    'order_events': ['order_ref', 'order_source'],
    'order_items': ['item_id'],
    'products': ['product_id'],
} %}

with bad_records as (

    select * from {{ ref('bad_records') }}

),

-- every line of Bronze that counts; a key with a missing part is NULL
lines as (
    {% for target, views in silver_targets().items() %}
    {%- set is_last_target = loop.last %}
    {%- for view in views %}
    select
        'silver.{{ target }}' as source_table,
        {% for column in keys[target] %}cast({{ column }} as string){{ " || '|' || " if not loop.last }}{% endfor %} as row_key,
        version_ts,
        row_time,
        reason,
        batch_id,
        line_number,
        ingest_seq
    from {{ ref(view) }}
    where not is_withdrawn
    {{ 'union all' if not (loop.last and is_last_target) }}
    {%- endfor %}
    {%- endfor %}

),

rejected as (

    select
        bad_records.*,
        lines.row_key,
        lines.version_ts,
        lines.row_time,
        lines.ingest_seq
    from bad_records
    inner join lines
        on bad_records.source_table = lines.source_table
        and bad_records.batch_id = lines.batch_id
        and bad_records.line_number = lines.line_number
    -- the rules may accept the line by now; a contradiction is not a fault of the line alone, so its own reason is NULL
    where lines.reason = bad_records.reason or (lines.reason is null and bad_records.reason = 'conflicting_entry')

),

-- good lines of the same key
good_lines as (

    select
        rejected.record_id,
        -- a line contradicts an earlier one with the same version time
        rejected.version_ts = lines.version_ts and lines.ingest_seq < rejected.ingest_seq as is_contradicted,
        case
            when lines.version_ts = rejected.version_ts or rejected.version_ts is null then lines.ingest_seq > rejected.ingest_seq
            else lines.version_ts > rejected.version_ts
        end as is_later
    from rejected
    inner join lines
        on rejected.source_table = lines.source_table
        and rejected.row_key = lines.row_key
    left join bad_records as contradicting
        on lines.source_table = contradicting.source_table
        and lines.batch_id = contradicting.batch_id
        and lines.line_number = contradicting.line_number
        and contradicting.reason = 'conflicting_entry'
    where lines.reason is null and contradicting.record_id is null

),

compared as (

    select
        record_id,
        bool_or(is_contradicted) as is_contradicted,
        bool_or(is_later) as is_replaced
    from good_lines
    group by record_id

),

final as (

    select
        rejected.record_id,
        {{ kst_date('rejected.row_time') }} as date_kst,
        rejected.source_table,
        rejected.reason,
        rejected.record_json,
        rejected.rule_id,
        rejected.detected_at,
        rejected.bronze_table,
        rejected.source_file,
        rejected.line_number,
        rejected.batch_id
    from rejected
    left join compared on rejected.record_id = compared.record_id
    where not coalesce(compared.is_replaced, false)
        and (rejected.reason <> 'conflicting_entry' or coalesce(compared.is_contradicted, false))

)

select * from final
