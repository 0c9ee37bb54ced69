{{ config(
    materialized='table',
    post_hook=[
        "{{ merge_this_into('pipeline_day', ['pipeline_name', 'date_kst'], touch=true) }}",
        "{{ record_guardrail_success() }}",
    ],
) }}

-- depends_on: {{ ref('dq_status') }}
-- depends_on: {{ ref('dq_exceptions') }}
{{- assert_completion_awaits_all('pipeline_a') }}
select distinct
    'pipeline_a' as pipeline_name,
    date_kst,
    'success' as status,
    {{ run_id() }} as run_id,
    cast(null as bigint) as change_seq,
    {{ as_of() }} as updated_at,
    inputs_digest,
    {{ is_named_day('pipeline_a', 'date_kst') }} as is_named
from {{ ref('dq_windows') }}
where window_kind = 'day'
