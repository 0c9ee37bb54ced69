{#-
  Strategy `append_once`: rows whose `unique_key` (one column, a deterministic row id) the table already holds are left
  out, so that a retry or a rerun never adds a row twice.
-#}
{% macro append_once_sql(target, rows_relation) -%}
    {%- set names = model['columns'].keys() | join(', ') -%}
    {%- set key = config.get('unique_key')[0] -%}
    insert into {{ target }} ({{ names }})
    select {{ names }} from {{ rows_relation }} as s
    where not exists (select 1 from {{ target }} as t where t.{{ key }} = s.{{ key }})
{%- endmacro %}
