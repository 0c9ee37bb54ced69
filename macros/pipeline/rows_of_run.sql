{#- For tests: what a build has to check, so that its cost does not grow with history. -#}

{#- Condition: the row was written by this run; every row when only tests run (`dbt test`). -#}
{% macro rows_of_run() -%}
    {%- if flags.WHICH == 'test' -%} true {%- else -%} run_id = {{ run_id() }} {%- endif -%}
{%- endmacro %}
