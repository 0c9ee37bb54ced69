{#-
  Seeds reach DuckDB as the other engines read them: fields separated by commas, quoted by double quotes. dbt-duckdb lets
  DuckDB guess the dialect, so that single quotes in a file without double ones would count as quotes.
-#}
{% macro duckdb__load_csv_rows(model, agate_table) -%}
    {%- set statement -%}
        copy {{ this.render() }} from {{ text_literal(adapter.get_seed_file_path(model)) }}
        (format csv, header true, delimiter ',', quote '"', escape '"', auto_detect false, strict_mode true)
    {%- endset -%}
    {%- do adapter.add_query(statement, abridge_sql_log=True) -%}
    {{ return(statement) }}
{%- endmacro %}
