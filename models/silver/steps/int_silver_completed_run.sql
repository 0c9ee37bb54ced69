{{ config(
    post_hook="{{ record_success('pipeline_silver', values={
        'consumed_ingest_seq': '(select to_seq from ' ~ ref('int_silver_input') ~ ')',
        'consumed_status_seq': '(select to_status_seq from ' ~ ref('int_silver_input') ~ ')',
        'consumed_change_seq': '(select coalesce(max(change_seq), 0) from ' ~ ref('change_log') ~ ')',
        'rules_digest': '(select rules_digest from ' ~ ref('int_silver_input') ~ ')',
    }) if not gate_is_breached() }}",
    meta={'writes': ['pipeline_state']},
) }}

{%- for target in silver_targets() %}
-- depends_on: {{ ref(target) }}
{%- endfor %}
-- depends_on: {{ ref('pipeline_state') }}
{{- assert_completion_awaits_all('pipeline_silver') }}

-- what this run published, for readers of the run
select
    {{ run_id() }} as run_id,
    {{ as_of() }} as as_of,
    (select count(*) from {{ ref('change_log') }} where run_id = {{ run_id() }}) as changed_rows,
    (select sum(total_rows) from {{ ref('int_bad_rate_gate') }}) as pending_rows,
    (select sum(bad_rows) from {{ ref('int_bad_rate_gate') }}) as bad_rows
