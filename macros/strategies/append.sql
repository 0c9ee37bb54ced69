{#-
  Strategy `append`: inserts every row of the model, without looking at the table. For tables that only declare their
  columns (declared_table), and in place of merge_scoped and replace_partition where all rows are new. That was asked of
  the scope: a row outside it, which may be stored already, stops the model.
-#}
{% macro append_sql(target, rows_relation) -%}
    {%- set meta = config.get('meta', {}) -%}
    insert into {{ target }} ({{ model['columns'].keys() | join(', ') }})
    {% if 'scope' in meta and 'existing' not in meta -%}
    {{ rows_in_scope(rows_relation, meta['scope']) }}
    {%- else -%}
    select {{ model['columns'].keys() | join(', ') }} from {{ rows_relation }}
    {%- endif -%}
{%- endmacro %}
