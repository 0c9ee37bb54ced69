{#-
  Views and tables of DuckDB are made by one statement that replaces the old one. The materializations of dbt and
  dbt-duckdb make them under another name, rename twice and drop what stood before: three more macros and as many
  statements for each of some forty nodes of a run. Only the table with a contract goes that way still.
-#}
{% materialization view, adapter='duckdb' -%}
    {{ return(replace_relation('view', compiled_code)) }}
{%- endmaterialization %}

{% materialization table, adapter='duckdb', supported_languages=['sql', 'python'] -%}
    {%- if config.get('contract').enforced -%}
        {{ return(dbt.materialization_table_duckdb()) }}
    {%- elif model['language'] == 'sql' -%}
        {{ return(replace_relation('table', compiled_code)) }}
    {%- endif -%}
    {#- Python writes in a transaction of its own, beside the existing table -#}
    {%- set written = make_intermediate_relation(this.incorporate(type='table')) -%}
    {%- do drop_relation_if_exists(load_cached_relation(written)) -%}
    {%- call statement('written', language='python') -%}
        {{ py_write_table(temporary=false, relation=written, compiled_code=compiled_code) }}
    {%- endcall -%}
    {%- set result = replace_relation('table', 'select * from ' ~ written) -%}
    {%- do adapter.drop_relation(written) -%}
    {{ return(result) }}
{%- endmaterialization %}

{% macro replace_relation(kind, query) -%}
    {%- set target_relation = this.incorporate(type=kind) -%}
    {%- set existing = load_cached_relation(this) -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if existing is not none and existing.type != kind -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {%- call statement('main') -%}
        create or replace {{ kind }} {{ target_relation }} as (
            {{ query }}
        )
    {%- endcall -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{%- endmacro %}
