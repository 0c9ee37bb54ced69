{#-
  Stops the model it stands in, with one line that names the faults, unless every rule in force is sound: it has an id,
  something reads its metric for its scope, its limits are a JSON object of numbers, its values a JSON array of texts (a
  pattern has a group), and no two versions of a rule start at the same instant. So faulty rules never reach
  gold.dim_rule_scd2.
-#}
{% macro assert_rules_are_sound(edits) -%}
    {%- if execute and flags.WHICH in ('run', 'build') -%}
        {%- set rules = run_query(
            "select rule_id, domain, metric, scope, severity_map, allowed_values, effective_start_ts from " ~ edits
            ~ " where dbt_valid_to = cast('9999-12-31' as timestamp) order by rule_id, effective_start_ts"
        ).rows -%}
        {%- set known = rule_metrics() -%}
        {%- set faults, starts = [], {} -%}
        {%- for rule in rules -%}
            {%- set name = rule[0] or 'a rule of ' ~ rule[1] ~ '/' ~ rule[2] -%}
            {%- if not rule[0] -%}{%- do faults.append(name ~ ' has no rule_id') -%}{%- endif -%}
            {%- if not rule[2] -%}
                {%- do faults.append(name ~ ' has no metric') -%}
            {%- elif rule[2] not in known.get(rule[1], {}) -%}
                {%- do faults.append(
                    'nothing reads metric ' ~ rule[2] ~ ' of ' ~ name ~ ': domain ' ~ rule[1] ~ ' knows '
                    ~ (known.get(rule[1], {}) | join(', ') or 'none')
                ) -%}
            {%- elif rule[3] and rule[3] not in known[rule[1]][rule[2]] -%}
                {%- do faults.append(
                    'nothing reads ' ~ name ~ ' for scope ' ~ rule[3] ~ ': ' ~ rule[2] ~ ' knows '
                    ~ (known[rule[1]][rule[2]] | join(', ') or 'no scope')
                ) -%}
            {%- endif -%}
            {%- if rule[4] and not is_object_of_numbers(fromjson(rule[4])) -%}
                {%- do faults.append('severity_map of ' ~ name ~ ' is no JSON object of numbers: ' ~ rule[4]) -%}
            {%- endif -%}
            {%- if rule[5] and not is_array_of_texts(fromjson(rule[5])) -%}
                {%- do faults.append('allowed_values of ' ~ name ~ ' are no JSON array of texts: ' ~ rule[5]) -%}
            {%- endif -%}
            {%- if rule[2] == 'order_link_pattern' and rule[5] and '(' not in rule[5] -%}
                {%- do faults.append('the pattern of ' ~ name ~ ' has no group for the order id: ' ~ rule[5]) -%}
            {%- endif -%}
            {%- set start = [rule[1], rule[2], rule[3] or 'all', (rule[6] or '1970-01-01 00:00:00') | string] | join(' ') -%}
            {%- if start in starts -%}
                {%- do faults.append(name ~ ' and ' ~ starts[start] ~ ' are one rule from the same instant on: ' ~ start) -%}
            {%- endif -%}
            {%- do starts.update({start: name}) -%}
        {%- endfor -%}
        {%- if faults -%}
            {%- do exceptions.raise_compiler_error('seeds/rules.csv is faulty: ' ~ faults | join('; ')) -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro is_object_of_numbers(value) -%}
    {{ return(value is mapping and value.values() | reject('number') | list | length == 0) }}
{%- endmacro %}

{% macro is_array_of_texts(value) -%}
    {{ return(value is sequence and value is not string and value is not mapping and value | reject('string') | list | length == 0) }}
{%- endmacro %}

{#-
  What the models read: domain → metric → tables that a rule of it may be limited to. A model that reads a rule of its own
  adds its metric here.
-#}
{% macro rule_metrics() -%}
    {%- set ledger, wallets, payments, orders = [
        'bronze.transaction_ledger_raw', 'bronze.user_wallets_raw', 'bronze.payment_orders_raw', 'bronze.orders_raw',
    ] -%}
    {%- set guarded = [ledger, wallets, payments] -%}
    {%- set cleaned = [] -%}
    {%- for name in silver_targets() -%}{%- do cleaned.append('silver.' ~ name) -%}{%- endfor -%}
    {{ return({
        'dq': {
            'freshness_sec': guarded, 'freshness_sec_day': guarded,
            'dup_rate_tx_id': [ledger], 'dup_rate_user_id': [wallets], 'dup_rate_order_id': [payments],
            'completeness_zero_windows': guarded, 'completeness_zero_windows_day': guarded,
            'contract_bad_records_rate': guarded, 'tile_minutes': [],
        },
        'silver': {
            'bad_records_rate': cleaned, 'bad_records_min_rows': cleaned,
            'entry_type_allowed': [ledger], 'payment_status_allowed': [payments, orders],
            'earliest_instant': [], 'currency_allowed': [ledger, wallets, payments, orders], 'overdraft_allowed': [],
        },
        'ledger': {
            'drift_abs': [], 'supply_diff_abs': [], 'supply_opening': [], 'snapshot_tolerance_hours': [],
            'payment_failed_status': [], 'payment_refunded_status': [],
        },
        'analytics': {'order_link_pattern': []},
    }) }}
{%- endmacro %}
