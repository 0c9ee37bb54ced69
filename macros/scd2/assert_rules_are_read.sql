{#-
  Stops the model that calls it, with one line that names rule and field, unless every field of seeds/rules.csv could be
  read. So rules that nothing reads reach neither the history of edits nor gold.dim_rule_scd2.
-#}
{% macro assert_rules_are_read() -%}
    {%- if execute and flags.WHICH in ('run', 'build') -%}
        {%- set faults = run_query('select fault from ' ~ ref('int_rules_read') ~ ' where fault is not null').columns[0].values() -%}
        {%- if faults -%}
            {%- do exceptions.raise_compiler_error(faults[0]) -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
