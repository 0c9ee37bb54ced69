{#-
  Delta Lake outside Databricks takes NOT NULL only when a table is created, which bootstrap_tables does for every
  incremental table; of a table that is made by a query the data tests say so.
-#}
{% macro sparksession__persist_constraints(relation, model) -%}{%- endmacro %}
