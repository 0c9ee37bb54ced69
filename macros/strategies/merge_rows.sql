{#- MERGE by a key that updates only rows whose content changed; the same statement on every engine. -#}

{#- `gone`: query of the rows of the table that are to be deleted by the same statement. -#}
{% macro merge_rows_sql(target, source, unique_key, columns, touch=false, gone=none) -%}
    {%- set names = columns.keys() | list -%}
    {%- set content = names | reject('in', clock_columns() + unique_key) | list -%}
    merge into {{ target }} as t
    using (
        select {{ names | join(', ') }}{{ ', false as is_gone' if gone }} from {{ source }}
        {%- if gone %}
        union all
        select *, true as is_gone from ({{ gone }}) as gone_rows
        {%- endif %}
    ) as s
    on {{ key_condition(unique_key, columns, 't', 's') }}
    {%- if gone %}
    when matched and s.is_gone then delete
    {%- endif %}
    {%- if touch %}
    when matched
        then update set {% for name in names | reject('in', unique_key) %}{{ name }} = s.{{ name }}{{ ', ' if not loop.last }}{% endfor %}
    {%- elif content %}
    when matched and ({% for name in content %}t.{{ name }} is distinct from s.{{ name }}{{ ' or ' if not loop.last }}{% endfor %})
        then update set {% for name in names | reject('in', unique_key) %}{{ name }} = s.{{ name }}{{ ', ' if not loop.last }}{% endfor %}
    {%- endif %}
    when not matched {{ 'and not s.is_gone ' if gone }}then insert ({{ names | join(', ') }}) values (s.{{ names | join(', s.') }})
{%- endmacro %}

{#-
  For post-hooks of models that feed a table with several writers (pipeline_state, pipeline_day, exception_ledger):
  merges this model's rows into that table by its contract. `touch`: a row that is written again names the run that did
  so, even if nothing else of it changed.
-#}
{% macro merge_this_into(model_name, unique_key, touch=false) -%}
    {%- set target = ref(model_name) -%}
    {{- assert_write_is_declared(model_name) -}}
    {%- if execute -%}
        {%- set node = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') | selectattr('name', 'equalto', model_name) | first -%}
        {{ merge_rows_sql(target, this, unique_key, node['columns'], touch) }}
    {%- endif -%}
{%- endmacro %}

{#- Columns that say when and by which run a row was written: a difference in them alone is no change. -#}
{% macro clock_columns() -%}
    {{ return(['run_id', 'generated_at', 'updated_at', 'detected_at', 'detected_date_kst', 'changed_at']) }}
{%- endmacro %}

{#- Join condition on the key columns; NULL equals NULL for columns that the contract lets be NULL. -#}
{% macro key_condition(unique_key, columns, left, right) -%}
    {%- for key in unique_key -%}
        {%- set required = columns[key].get('constraints', []) | selectattr('type', 'equalto', 'not_null') | list | length > 0 -%}
        {{ left }}.{{ key }} {{ '=' if required else 'is not distinct from' }} {{ right }}.{{ key }}
        {%- if not loop.last %} and {% endif -%}
    {%- endfor -%}
{%- endmacro %}
