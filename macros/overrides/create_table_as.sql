{#-
  Steps in Parquet: the table was dropped and is written again, in two statements. A run that is killed between them
  leaves files where Spark refuses to create a table. Delta replaces a table in one statement.
-#}
{% macro sparksession__create_table_as(temporary, relation, compiled_code, language='sql') -%}
    {%- if not temporary and config.get('file_format') != 'delta' -%}
        {%- do adapter.clear_leftovers(relation) -%}
    {%- endif -%}
    {{ dbt.spark__create_table_as(temporary, relation, compiled_code, language) }}
{%- endmacro %}
