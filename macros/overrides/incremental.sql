{#- Incremental models on Delta Lake: dbt-spark and dbt-databricks know the strategies of this project by no name. -#}
{% materialization incremental, adapter='sparksession' -%}
    {{ return(delta_incremental()) }}
{%- endmaterialization %}

{% materialization incremental, adapter='databricks' -%}
    {{ return(delta_incremental()) }}
{%- endmaterialization %}
