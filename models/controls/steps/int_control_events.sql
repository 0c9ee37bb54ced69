{{ config(post_hook="{{ merge_this_into('event_outbox', ['event_id']) }}") }}

-- depends_on: {{ ref('int_control_exceptions') }}
with {{ exception_events('ledger') }}

select * from final
