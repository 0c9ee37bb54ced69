{{ config(
    materialized='table',
    tags=['pipeline_a'],
    group='guardrail',
    post_hook="{{ merge_this_into('event_outbox', ['event_id']) }}",
) }}

-- depends_on: {{ ref('dq_exceptions') }}
with {{ exception_events('dq') }}

select * from final
