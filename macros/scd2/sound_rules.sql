{#-
  Stops the model it stands in, with one line that names the faults, unless every rule in force is sound: it has an id and
  a metric that something reads, its scope is a table of the project, its limits are a JSON object of numbers, its values a JSON array of texts, and no two versions of a rule start
  at the same instant. So faulty rules never reach gold.dim_rule_scd2.
-#}
{% macro assert_rules_are_sound(edits) -%}
    {%- if execute and flags.WHICH in ('run', 'build') -%}
        {%- set rules = run_query(
            "select rule_id, domain, metric, scope, severity_map, allowed_values, effective_start_ts from " ~ edits
            ~ " where dbt_valid_to = cast('9999-12-31' as timestamp) order by rule_id, effective_start_ts"
        ).rows -%}
        {%- set known, tables = rule_metrics(), rule_scopes() -%}
        {%- set faults, starts = [], {} -%}
        {%- for rule in rules -%}
            {%- set name = rule[0] or 'a rule of ' ~ rule[1] ~ '/' ~ rule[2] -%}
            {%- if not rule[0] -%}{%- do faults.append(name ~ ' has no rule_id') -%}{%- endif -%}
            {%- if not rule[2] -%}
                {%- do faults.append(name ~ ' has no metric') -%}
            {%- elif rule[2] not in known.get(rule[1], []) -%}
                {%- do faults.append(
                    'nothing reads metric ' ~ rule[2] ~ ' of ' ~ name ~ ': domain ' ~ rule[1] ~ ' knows '
                    ~ (known.get(rule[1], []) | join(', ') or 'none')
                ) -%}
            {%- endif -%}
            {%- if rule[3] and rule[3] not in tables -%}
                {%- do faults.append('scope ' ~ rule[3] ~ ' of ' ~ name ~ ' is no table of the project') -%}
            {%- endif -%}
            {%- if rule[4] and not is_object_of_numbers(fromjson(rule[4])) -%}
                {%- do faults.append('severity_map of ' ~ name ~ ' is no JSON object of numbers: ' ~ rule[4]) -%}
            {%- endif -%}
            {%- if rule[5] and not is_array_of_texts(fromjson(rule[5])) -%}
                {%- do faults.append('allowed_values of ' ~ name ~ ' are no JSON array of texts: ' ~ rule[5]) -%}
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

{#- What the models read, by domain; a model that reads a rule of its own adds its metric here. -#}
{% macro rule_metrics() -%}
    {{ return({
        'dq': [
            'freshness_sec', 'freshness_sec_day', 'dup_rate_tx_id', 'dup_rate_user_id', 'dup_rate_order_id',
            'completeness_zero_windows', 'completeness_zero_windows_day', 'contract_bad_records_rate', 'tile_minutes',
        ],
        'silver': ['bad_records_rate', 'bad_records_min_rows', 'entry_type_allowed', 'payment_status_allowed'],
        'ledger': [
            'drift_abs', 'supply_diff_abs', 'snapshot_tolerance_hours', 'payment_failed_status',
            'payment_refunded_status', 'supply_opening',
        ],
        'analytics': ['order_link_pattern'],
    }) }}
{%- endmacro %}

{#- Tables that a rule may be limited to, written like `silver.products`. -#}
{% macro rule_scopes() -%}
    {%- set names = [] -%}
    {%- for node in graph.sources.values() -%}{%- do names.append('bronze.' ~ node.name) -%}{%- endfor -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.config.contract.enforced -%}
        {%- do names.append(node.config.schema ~ '.' ~ node.name) -%}
    {%- endfor -%}
    {{ return(names) }}
{%- endmacro %}
