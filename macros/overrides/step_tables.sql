{#-
  Steps in Parquet: the table is dropped and written again, in two statements. A run that is killed between them leaves
  files where Spark refuses to create a table. Steps in Delta, and Python models, are replaced in one statement.
-#}
{% materialization table, adapter='sparksession', supported_languages=['sql', 'python'] -%}
    {%- if config.get('file_format') != 'delta' and load_cached_relation(this) is none -%}
        {%- do adapter.clear_leftovers(this) -%}
    {%- endif -%}
    {{ return(dbt.materialization_table_spark()) }}
{%- endmaterialization %}
