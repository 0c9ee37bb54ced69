{{ config(
    materialized='table',
    tags=['pipeline_b'],
    group='controls',
    post_hook="{{ merge_this_into('event_outbox', ['event_id']) }}",
) }}

-- depends_on: {{ ref('control_exceptions') }}
with {{ exception_events('ledger') }}

select * from final
