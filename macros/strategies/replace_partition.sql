{#-
  Strategy `replace_partition`: replaces the whole partition (meta.scope, one column) of every day in scope whose rows
  differ from what the model yields; a day that did not change is not rewritten.
-#}
{% macro replace_partition_sql(target, rows_relation) -%}
    {{ return(adapter.dispatch('replace_partition_sql', 'plura')(target, rows_relation)) }}
{%- endmacro %}

{#- Delta: the days that differ are read as values, because REPLACE WHERE takes a condition on literals only. -#}
{% macro default__replace_partition_sql(target, rows_relation) -%}
    {%- set day = config.get('meta')['scope']['on'][0] -%}
    {%- set names = model['columns'].keys() | join(', ') -%}
    {%- set days = run_query(differing_days_sql(target, rows_relation)).columns[0].values() -%}
    {%- if days -%}
    insert into {{ target }}
    replace where {{ day }} in {{ date_literals(days) }}
    select {{ names }} from {{ rows_relation }}
    where {{ day }} in {{ date_literals(days) }}
    {%- else -%}
    select 'no day differs' as outcome
    {%- endif -%}
{%- endmacro %}

{#- DuckDB: a DELETE and an INSERT of these days, in one transaction. -#}
{% macro duckdb__replace_partition_sql(target, rows_relation) -%}
    {%- set day = config.get('meta')['scope']['on'][0] -%}
    {%- set names = model['columns'].keys() | join(', ') -%}
    {%- set changed = rows_relation.identifier ~ '__changed' -%}
    create or replace temp table {{ changed }} as
    {{ differing_days_sql(target, rows_relation) }};
    delete from {{ target }} where {{ day }} in (select {{ day }} from {{ changed }});
    insert into {{ target }} ({{ names }})
    select {{ names }} from {{ rows_relation }}
    where {{ day }} in (select {{ day }} from {{ changed }});
    drop table {{ changed }}
{%- endmacro %}

{#- Days in scope whose rows differ between the model and the table; days that are new are among them. -#}
{% macro differing_days_sql(target, rows_relation) -%}
    {%- set scope = config.get('meta')['scope'] -%}
    {%- set day = scope['on'][0] -%}
    {%- set content = model['columns'].keys() | reject('in', clock_columns()) | join(', ') -%}
    with new_rows as (select {{ content }} from {{ rows_relation }}),
    old_rows as (select {{ content }} from {{ target }} as t where {{ in_scope('t', scope) }}),
    old_days as (select distinct {{ day }} from old_rows),
    rewritten as (select * from new_rows where {{ day }} in (select {{ day }} from old_days)),
    differing as (
        (select * from rewritten except all select * from old_rows)
        union all
        (select * from old_rows except all select * from rewritten)
    )
    select {{ day }} from differing
    union
    select {{ day }} from new_rows where {{ day }} not in (select {{ day }} from old_days)
{%- endmacro %}
