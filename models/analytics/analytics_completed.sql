{{ config(
    materialized='table',
    post_hook=[
        "{{ merge_this_into('pipeline_day', ['pipeline_name', 'date_kst'], touch=true) }}",
        "{{ record_success('pipeline_c', 'analytics_days') }}",
    ],
) }}

-- depends_on: {{ ref('fact_payment_anonymized') }}
-- depends_on: {{ ref('fact_payment_dropped_daily') }}
{{ computed_days('pipeline_c', 'analytics_days') }}
