{#-
  Strategy `append`: inserts every row of the model, without looking at the table. For tables that only declare their
  columns (declared_table), and in place of merge_scoped and replace_partition where all rows are new.
-#}
{% macro append_sql(target, rows_relation) -%}
    {%- set names = model['columns'].keys() | join(', ') -%}
    insert into {{ target }} ({{ names }})
    select {{ names }} from {{ rows_relation }}
{%- endmacro %}
