{#-
  The incremental strategies on Delta Lake (Spark and Databricks). Delta has no transactions over several statements, so
  that each strategy is one statement: a run that is killed leaves a table as it was or as it shall be. The rows of the
  model are a view that the statement reads; nothing is written twice.
-#}
{% macro delta_incremental() -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing = load_relation(this) -%}
    {{ run_hooks(pre_hooks) }}
    {%- if existing is none or should_full_refresh() -%}
        {%- call statement('main') -%}
            {{ create_table_as(false, target_relation, compiled_code) }}
        {%- endcall -%}
    {%- else -%}
        {%- set rows_relation = make_temp_relation(this, '__rows') -%}
        {%- do get_assert_columns_equivalent(compiled_code) if config.get('contract').enforced -%}
        {%- call statement('rows') -%}
            create or replace temporary view {{ rows_relation }} as
            {{ compiled_code }}
        {%- endcall -%}
        {%- do process_schema_changes(config.get('on_schema_change'), rows_relation, existing) -%}
        {%- set strategy = config.get('incremental_strategy') -%}
        {%- call statement('main') -%}
            {%- if rows_are_read_once() -%}
                {{ insert_rows_sql(target_relation, rows_relation) }}
            {%- elif strategy == 'merge_scoped' -%}
                {{ delta_merge_scoped_sql(target_relation, rows_relation) }}
            {%- elif strategy == 'append_once' -%}
                {{ append_once_sql(target_relation, rows_relation) }}
            {%- elif strategy == 'replace_partition' -%}
                {{ delta_replace_partition_sql(target_relation, rows_relation) }}
            {%- else -%}
                {%- do exceptions.raise_compiler_error('Unknown incremental strategy ' ~ strategy) -%}
            {%- endif -%}
        {%- endcall -%}
    {%- endif -%}
    {%- do persist_docs(target_relation, model) -%}
    {%- do apply_grants(target_relation, config.get('grants'), should_revoke(existing, should_full_refresh())) -%}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target_relation]}) }}
{%- endmacro %}

{#- merge_scoped in one statement: rows of the scope that the model no longer yields are among the source, to be deleted. -#}
{% macro delta_merge_scoped_sql(target, source) -%}
    {%- set scope = config.get('meta', {}).get('scope') -%}
    {%- set unique_key, names = config.get('unique_key'), model['columns'].keys() | join(', ') -%}
    {%- set gone -%}
        {%- if scope -%}
        select {{ names }} from {{ target }} as o
        where {{ in_scope('o', scope) }}
            and not exists (select 1 from {{ source }} as n where {{ key_condition(unique_key, model['columns'], 'o', 'n') }})
        {%- endif -%}
    {%- endset -%}
    {{ merge_rows_sql(target, source, unique_key, model['columns'], gone=gone) }}
{%- endmacro %}

{#- replace_partition: the days that differ are read as values, because Delta replaces by a condition on literals. -#}
{% macro delta_replace_partition_sql(target, source) -%}
    {%- set day = config.get('meta')['scope']['on'][0] -%}
    {%- set names = model['columns'].keys() | join(', ') -%}
    {%- set days = run_query(differing_days_sql(target, source)).columns[0].values() -%}
    {%- if days -%}
    insert into {{ target }}
    replace where {{ day }} in ({% for d in days %}date '{{ d }}'{{ ', ' if not loop.last }}{% endfor %})
    select {{ names }} from {{ source }}
    where {{ day }} in ({% for d in days %}date '{{ d }}'{{ ', ' if not loop.last }}{% endfor %})
    {%- else -%}
    select 'no day differs' as outcome
    {%- endif -%}
{%- endmacro %}

{#-
  Delta Lake outside Databricks takes NOT NULL only when a table is created, which bootstrap_tables does for every
  incremental table; of a table that is made by a query the data tests say so.
-#}
{% macro sparksession__persist_constraints(relation, model) -%}{%- endmacro %}

{#-
  Lets a Spark session plan for as many rows as Bronze holds: what pays for many rows costs every statement time. The
  other engines do so themselves.
-#}
{% macro suit_session() -%} {{ adapter.dispatch('suit_session', 'plura')() }} {%- endmacro %}
{% macro default__suit_session() -%}{%- endmacro %}
{% macro sparksession__suit_session() -%}
    {%- if execute and flags.WHICH in ('run', 'build', 'snapshot') -%}
        {%- do adapter.suit_session() -%}
    {%- endif -%}
{%- endmacro %}
