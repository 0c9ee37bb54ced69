{{ config(
    post_hook=[
        "{{ merge_this_into('pipeline_day', ['pipeline_name', 'date_kst'], touch=true) }}",
        "{{ record_success('pipeline_c', 'int_analytics_days') }}",
    ],
    meta={'writes': ['pipeline_day', 'pipeline_state']},
) }}

{#- Every table of the pipeline: a day is recorded as done when all of them have it. -#}
{%- for model in [
    'fact_payment_anonymized',
    'fact_payment_dropped_daily',
] + (['fact_market_price'] if var('market_price', false) else []) %}
-- depends_on: {{ ref(model) }}
{%- endfor %}
{{- assert_completion_awaits_all('pipeline_c') }}

{{ computed_days('pipeline_c', 'int_analytics_days') }}
