{#- The bad-rate gate of Silver. -#}

{#- Silver tables and the views over Bronze that feed them. -#}
{% macro silver_targets() -%}
    {{ return({
        'wallet_snapshot': ['stg_user_wallets'],
        'ledger_entries': ['stg_transaction_ledger'],
        'order_events': ['stg_payment_orders', 'stg_orders'],
        'order_items': ['stg_order_items'],
        'products': ['stg_products'],
    }) }}
{%- endmacro %}

{#- The bad-rate gate once more in the statement: nothing is published past a breach, even where tests are not run. -#}
{% macro gate_is_open() -%}
    not exists (select 1 from {{ ref('int_bad_rate_gate') }} where is_breached)
{%- endmacro %}

{% macro gate_is_breached() -%}
    {{ return(read_value('select count(*) from ' ~ ref('int_bad_rate_gate') ~ ' where is_breached', 0) > 0) }}
{%- endmacro %}
