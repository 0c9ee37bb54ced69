{#-
  Creates, from their contracts, every Bronze table and every incremental Silver and Gold table that does not exist
  yet. So no model, gate or report ever meets a missing table, and every run takes the same, incremental path.
-#}
{% macro bootstrap_tables() -%}
    {%- if execute and flags.WHICH in ('run', 'build', 'snapshot') -%}
        {%- set schemas = [] -%}
        {%- for source in graph.sources.values() if source.source_name == 'bronze' -%}
            {%- do create_from_contract(source.database, source.schema, source.identifier, source.columns, schemas, source.description) -%}
        {%- endfor -%}
        {%- do add_missing_bronze_columns() -%}
        {%- for node in graph.nodes.values()
                if node.resource_type == 'model' and node.config.contract.enforced and node.config.materialized == 'incremental' -%}
            {%- do create_from_contract(node.database, node.schema, node.alias, node.columns, schemas, node.description, node.config) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#-
  Adds to existing Bronze tables the columns that are new in the contract. On Delta Lake the load adds them by schema
  evolution: a check of every table would cost each run seconds.
-#}
{% macro add_missing_bronze_columns() -%} {{ return(adapter.dispatch('add_missing_bronze_columns', 'plura')()) }} {%- endmacro %}
{% macro default__add_missing_bronze_columns() -%}{%- endmacro %}
{% macro duckdb__add_missing_bronze_columns() -%}
    {%- set existing = run_query(
        "select table_name || '.' || column_name from information_schema.columns where table_schema = 'bronze'"
    ).columns[0].values() -%}
    {%- for source in graph.sources.values() if source.source_name == 'bronze' -%}
        {%- for column in source.columns.values() if source.identifier ~ '.' ~ column.name not in existing -%}
            {%- do run_query(
                'alter table ' ~ api.Relation.create(schema=source.schema, identifier=source.identifier)
                ~ ' add column ' ~ column.name ~ ' ' ~ engine_type(column.data_type)
            ) -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endmacro %}

{#- `schemas`: the schemas that are known to exist; the one of the table is added. -#}
{% macro create_from_contract(database, schema, identifier, columns, schemas, description='', config={}) -%}
    {%- if load_relation(api.Relation.create(database=database or none, schema=schema, identifier=identifier)) is none -%}
        {%- set relation = api.Relation.create(database=database or none, schema=schema, identifier=identifier, type='table') -%}
        {%- if schema not in schemas -%}
            {%- do run_query('create schema if not exists ' ~ relation.without_identifier()) -%}
            {%- do schemas.append(schema) -%}
        {%- endif -%}
        {%- do run_query('create table if not exists ' ~ relation ~ column_ddl(columns) ~ table_format(description, config)) -%}
        {%- do adapter.cache_added(relation) -%}
    {%- endif -%}
{%- endmacro %}

{#- Body of a model that only declares a table: other models write into it (merge_this_into). -#}
{% macro declared_table() -%}
    select
    {%- for column in model['columns'].values() %}
        cast(null as {{ engine_type(column['data_type']) }}) as {{ column['name'] }}{{ ',' if not loop.last }}
    {%- endfor %}
    where 1 = 0
{%- endmacro %}
