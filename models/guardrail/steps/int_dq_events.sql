{{ config(
    post_hook="{{ merge_this_into('event_outbox', ['event_id']) }}",
    meta={'writes': ['event_outbox']},
) }}

-- depends_on: {{ ref('int_dq_exceptions') }}
with {{ exception_events('dq') }}

select * from final
