{#-
  Stops a run before anything else if the environment is unknown: it might be meant as production. The list is the same
  as in python_jobs.environment.
-#}
{% macro refuse_environment() -%}
    {%- set allowed = ['local', 'dev', 'prod'] -%}
    {%- set given = env_var('PLURA_ENV', 'local') -%}
    {%- if execute and given not in allowed -%}
        {%- do exceptions.raise_compiler_error(
            "PLURA_ENV is '" ~ given ~ "': it must be one of " ~ allowed | join(', ') ~ ", or not set"
        ) -%}
    {%- endif -%}
{%- endmacro %}
