{#-
  Strategy `merge_scoped`, used by every Silver and Gold table that is merged.

  Guarantee: after it, the table holds the model's rows by `unique_key` (NULL equals NULL); a row whose content did not
  change is not touched, so it keeps the run_id of the run that wrote it; rows of the table inside the scope that the
  model no longer yields are gone; rows outside the scope are untouched. Without a scope nothing is deleted.
-#}
{% macro merge_scoped_sql(target, rows_relation) -%}
    {{ return(adapter.dispatch('merge_scoped_sql', 'plura')(target, rows_relation)) }}
{%- endmacro %}

{#- Delta: one MERGE, whose source has the rows that are to be deleted as well. -#}
{% macro default__merge_scoped_sql(target, rows_relation) -%}
    {%- set scope = config.get('meta', {}).get('scope') -%}
    {%- set unique_key, names = config.get('unique_key'), model['columns'].keys() | join(', ') -%}
    {%- set gone -%}
        {%- if scope -%}
        select {{ names }} from {{ target }} as o
        where {{ in_scope('o', scope) }}
            and not exists (select 1 from {{ rows_relation }} as n where {{ key_condition(unique_key, model['columns'], 'o', 'n') }})
        {%- endif -%}
    {%- endset -%}
    {{ merge_rows_sql(target, rows_relation, unique_key, model['columns'], gone=gone) }}
{%- endmacro %}

{#- DuckDB: a DELETE and a MERGE, in one transaction. -#}
{% macro duckdb__merge_scoped_sql(target, rows_relation) -%}
    {%- set scope = config.get('meta', {}).get('scope') -%}
    {%- set unique_key = config.get('unique_key') -%}
    {%- if scope -%}
    delete from {{ target }} as t
    where {{ in_scope('t', scope) }}
        and not exists (
            select 1 from {{ rows_relation }} as s where {{ key_condition(unique_key, model['columns'], 't', 's') }}
        );
    {% endif -%}
    {{ merge_rows_sql(target, rows_relation, unique_key, model['columns']) }}
{%- endmacro %}
