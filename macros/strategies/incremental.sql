{#-
  How the rows of an incremental model reach its table, on every engine: one materialization, one decision
  (write_strategy), one file for each strategy. dbt's own materializations refuse strategies that they do not know.

  The table exists: bootstrap_tables has made it from its contract. Only a model without a contract creates its own.
-#}
{% macro write_incrementally() -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {{ run_hooks(pre_hooks) }}
    {%- if existing is none -%}
        {%- call statement('main') -%}
            {{ create_table_as(false, target_relation, compiled_code) }}
        {%- endcall -%}
    {%- else -%}
        {%- set strategy = write_strategy() -%}
        {%- set rows_relation = make_temp_relation(this, '__rows') -%}
        {%- do get_assert_columns_equivalent(compiled_code) if config.get('contract').enforced -%}
        {%- do run_query(hold_rows_sql(rows_relation, compiled_code, strategy)) -%}
        {%- do process_schema_changes(config.get('on_schema_change'), rows_relation, existing) -%}
        {%- call statement('main') -%}
            {%- if strategy == 'append' -%}
                {{ append_sql(target_relation, rows_relation) }}
            {%- elif strategy == 'append_once' -%}
                {{ append_once_sql(target_relation, rows_relation) }}
            {%- elif strategy == 'merge_scoped' -%}
                {{ merge_scoped_sql(target_relation, rows_relation) }}
            {%- else -%}
                {{ replace_partition_sql(target_relation, rows_relation) }}
            {%- endif -%}
            {{ release_rows_sql(rows_relation, strategy) }}
        {%- endcall -%}
    {%- endif -%}
    {%- do persist_docs(target_relation, model) -%}
    {%- do apply_grants(target_relation, config.get('grants'), should_revoke(existing, false)) -%}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target_relation]}) }}
{%- endmacro %}

{#- All of it is one transaction on DuckDB. Delta has none over several statements: each strategy is one statement there. -#}
{% materialization incremental, adapter='duckdb' -%}
    {%- set result = write_incrementally() -%}
    {%- do adapter.commit() -%}
    {{ return(result) }}
{%- endmaterialization %}

{% materialization incremental, adapter='sparksession' -%}
    {{ return(write_incrementally()) }}
{%- endmaterialization %}

{% materialization incremental, adapter='databricks' -%}
    {{ return(write_incrementally()) }}
{%- endmaterialization %}

{#-
  The strategy that writes the rows of this run: the one of the model's config, or a plain append while no stored row
  can have the key of a new one.
-#}
{% macro write_strategy() -%}
    {%- set configured = config.get('incremental_strategy') -%}
    {%- if configured not in ['append', 'append_once', 'merge_scoped', 'replace_partition'] -%}
        {%- do exceptions.raise_compiler_error('Unknown incremental strategy ' ~ configured) -%}
    {%- endif -%}
    {{ return('append' if configured in ['merge_scoped', 'replace_partition'] and all_rows_are_new() else configured) }}
{%- endmacro %}

{#- Statement that holds the rows of the model for the strategy, so that the model is computed once. -#}
{% macro hold_rows_sql(rows_relation, query, strategy) -%}
    {{ return(adapter.dispatch('hold_rows_sql', 'plura')(rows_relation, query, strategy)) }}
{%- endmacro %}
{#- Delta: the one statement of the strategy reads a view; where it reads it twice, the model is computed twice. -#}
{% macro default__hold_rows_sql(rows_relation, query, strategy) -%}
    create or replace temporary view {{ rows_relation }} as
    {{ query }}
{%- endmacro %}
{#- DuckDB: an append reads the rows once, so that a view does and they are not held in memory besides. -#}
{% macro duckdb__hold_rows_sql(rows_relation, query, strategy) -%}
    create temporary {{ 'view' if strategy == 'append' else 'table' }} {{ rows_relation }} as (
        {{ query }}
    )
{%- endmacro %}

{#- What follows the statements of the strategy. A view of a Spark session is replaced by the next run. -#}
{% macro release_rows_sql(rows_relation, strategy) -%}
    {{ return(adapter.dispatch('release_rows_sql', 'plura')(rows_relation, strategy)) }}
{%- endmacro %}
{% macro default__release_rows_sql(rows_relation, strategy) -%}{%- endmacro %}
{% macro duckdb__release_rows_sql(rows_relation, strategy) -%}
    ;
    drop {{ 'view' if strategy == 'append' else 'table' }} {{ rows_relation }}
{%- endmacro %}
