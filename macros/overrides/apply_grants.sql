{#- Who may read what is said for Databricks; DuckDB and a Spark session know no groups. -#}
{% macro duckdb__apply_grants(relation, grant_config, should_revoke) -%}{%- endmacro %}

{% macro sparksession__apply_grants(relation, grant_config, should_revoke) -%}{%- endmacro %}
