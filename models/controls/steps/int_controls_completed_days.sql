{{ config(
    post_hook=[
        "{{ merge_this_into('pipeline_day', ['pipeline_name', 'date_kst'], touch=true) }}",
        "{{ record_success('pipeline_b', 'int_controls_days') }}",
    ],
    meta={'writes': ['pipeline_day', 'pipeline_state']},
) }}

{#- Every table of the pipeline: a day is recorded as done when all of them have it. -#}
{%- for model in [
    'recon_daily_snapshot_flow',
    'wallet_balance_daily',
    'ledger_supply_balance_daily',
    'ops_payment_failure_daily',
    'ops_payment_refund_daily',
    'ops_ledger_pairing_quality_daily',
    'admin_tx_search',
    'int_control_exceptions',
] %}
-- depends_on: {{ ref(model) }}
{%- endfor %}
{{- assert_completion_awaits_all('pipeline_b') }}

{{ computed_days('pipeline_b', 'int_controls_days') }}
