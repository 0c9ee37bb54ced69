{#-
  Descriptions reach the catalog. On Delta Lake tables and views are created with them (comment_ddl, comment_clause), and
  Databricks gets those that changed. DuckDB keeps none: its tables are read through dbt docs, and the
  statements, one for every column, would cost a second in every run.
-#}

{#-
  One statement reads the current comments; only differences are written, the columns of a table in one statement. dbt-databricks
  writes the comment of a table in every run, which is a new version of it, and one statement for every column. Tables of
  the steps between the contracts are recreated in every run: their columns are described in dbt docs only.
-#}
{% macro databricks__persist_docs(relation, model, for_relation, for_columns) -%}
    {%- set for_relation = for_relation and config.persist_relation_docs() and model.description -%}
    {%- set for_columns = for_columns and config.persist_column_docs() and model.columns and model.get('access') != 'private' -%}
    {%- if for_relation or for_columns -%}
        {%- set current = fromjson(run_query('describe table extended ' ~ relation ~ ' as json').columns[0].values()[0]) -%}
        {%- if for_relation and current.get('comment') != model.description | trim -%}
            {%- do run_query('comment on table ' ~ relation ~ ' is ' ~ text_literal(model.description | trim)) -%}
        {%- endif -%}
        {%- set changed = [] -%}
        {%- for column in current['columns'] if for_columns and column['name'] in model.columns -%}
            {%- set description = model.columns[column['name']]['description'] -%}
            {%- if description and column.get('comment') != description -%}
                {%- do changed.append(adapter.quote(column['name']) ~ comment_ddl(description)) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- if changed -%}
            {%- do run_query('alter table ' ~ relation ~ ' alter column ' ~ changed | join(', ')) -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro sparksession__persist_docs(relation, model, for_relation, for_columns) -%}{%- endmacro %}

{% macro duckdb__persist_docs(relation, model, for_relation, for_columns) -%}{%- endmacro %}
