{#-
  Descriptions reach the catalog. On Delta Lake tables and views are created with them (comment_ddl, comment_clause);
  Databricks also gets those that changed since. DuckDB keeps none: its tables are read through dbt docs, and a comment
  costs a statement for every column in every run.
-#}

{#- Tables of the steps between the contracts are made anew in every run: their columns are described in dbt docs only. -#}
{% macro databricks__persist_docs(relation, model, for_relation, for_columns) -%}
    {{ dbt.databricks__persist_docs(relation, model, for_relation, for_columns and model.get('access') != 'private') }}
{%- endmacro %}

{#- The comments of all columns in one statement; dbt-databricks writes one for every column. -#}
{% macro databricks__alter_column_comment(relation, column_dict) -%}
    {%- if column_dict -%}
    {%- call statement('alter_column_comment') -%}
        alter table {{ relation }} alter column
        {%- for column in column_dict.values() %}
            {{ adapter.quote(column['name']) }}{{ comment_ddl(column['description']) }}{{ ',' if not loop.last }}
        {%- endfor -%}
    {%- endcall -%}
    {%- endif -%}
{%- endmacro %}

{% macro sparksession__persist_docs(relation, model, for_relation, for_columns) -%}{%- endmacro %}

{% macro duckdb__persist_docs(relation, model, for_relation, for_columns) -%}{%- endmacro %}
