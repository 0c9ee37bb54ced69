{{ config(incremental_strategy='append_once', unique_key=['record_id']) }}

-- the original lines; an ingest_seq names one line of all tables
with rejected as (
    {% for target, views in silver_targets().items() %}
    {%- set is_last_target = loop.last %}
    {%- for view in views %}
    select
        'silver.{{ target }}' as source_table,
        checked.reason,
        checked.batch_id,
        checked.line_number,
        lines.raw_json
    from {{ ref('int_' ~ target ~ '_checked') }} as checked
    inner join {{ ref(view) }} as lines on checked.ingest_seq = lines.ingest_seq
    where checked.reason is not null
    {{ 'union all' if not (loop.last and is_last_target) }}
    {%- endfor %}
    {%- endfor %}

),

batches as (

    select * from {{ source('bronze', 'load_registry') }}

),

final as (

    select
        {{ row_id(['rejected.batch_id', 'rejected.line_number', 'rejected.source_table', 'rejected.reason']) }} as record_id,
        {{ kst_date(as_of()) }} as detected_date_kst,
        rejected.source_table,
        rejected.reason,
        rejected.raw_json as record_json,
        {{ run_id() }} as run_id,
        rule.rule_id,
        {{ as_of() }} as detected_at,
        'bronze.' || batches.table_name as bronze_table,
        batches.source_file,
        rejected.line_number,
        rejected.batch_id
    from rejected
    left join batches on rejected.batch_id = batches.batch_id
    left join {{ ref('int_rule_days') }} as rule
        on rule.domain = 'silver' and rule.scope is null
        and rule.metric = case rejected.reason
            when 'invalid_entry_type' then 'entry_type_allowed'
            when 'invalid_status' then 'payment_status_allowed'
            when 'implausible_time' then 'earliest_instant'
            when 'unsupported_currency' then 'currency_allowed'
            when 'negative_balance' then 'overdraft_allowed'
            else 'bad_records_rate'
        end
        and {{ valid_on('rule', kst_date(as_of())) }}

)

select * from final
where record_id not in (select purged.record_id from {{ ref('bad_records_purged') }} as purged)
