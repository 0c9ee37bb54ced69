{#-
  Path of a seed's file, as text, where Python models run in the process of dbt and so can read it; NULL on Databricks,
  where they run elsewhere.
-#}
{% macro seed_path(name) -%}
    {%- if execute -%}
        {{ return(adapter.dispatch('seed_path', 'plura')(graph.nodes['seed.plura.' ~ name])) }}
    {%- endif -%}
    {{ return('cast(null as string)') }}
{%- endmacro %}

{% macro default__seed_path(seed) -%}
    {%- set path = seed.original_file_path -%}
    {{ return(text_literal(path if path.startswith('/') else seed.root_path ~ '/' ~ path)) }}
{%- endmacro %}

{% macro databricks__seed_path(seed) -%} {{ return('cast(null as string)') }} {%- endmacro %}
