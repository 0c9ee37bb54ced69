{{ config(
    post_hook=[
        "{{ merge_this_into('pipeline_day', ['pipeline_name', 'date_kst'], touch=true) }}",
        "{{ record_guardrail_success() }}",
    ],
    meta={'writes': ['pipeline_day', 'pipeline_state']},
) }}

-- depends_on: {{ ref('dq_status') }}
-- depends_on: {{ ref('int_dq_exceptions') }}
-- depends_on: {{ ref('int_guardrail_input') }}
{{- assert_completion_awaits_all('pipeline_a') }}
with days as (

    select distinct date_kst, inputs_digest from {{ ref('int_dq_windows') }}
    where window_kind = 'day'

),

named as (

    select date_kst from {{ ref('pipeline_day') }}
    where pipeline_name = 'pipeline_a' and is_named

),

final as (

    select
        'pipeline_a' as pipeline_name,
        days.date_kst,
        'success' as status,
        {{ run_id() }} as run_id,
        cast(null as bigint) as change_seq,
        {{ as_of() }} as updated_at,
        days.inputs_digest,
        named.date_kst is not null
        {%- if days_are_named() %}
        or (
            days.date_kst >= {{ named_from() }} and days.date_kst <= {{ named_to() }}
            and not {{ is_within('days.date_kst', 'input') }}
        )
        {%- endif %} as is_named
    from days
    left join named on days.date_kst = named.date_kst
    {%- if days_are_named() %}
    cross join {{ ref('int_guardrail_input') }} as input
    {%- endif %}

)

select * from final
