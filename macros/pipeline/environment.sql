{#-
  Stops a run before anything else if the environment is not one of those that are known: nobody can know whether
  production was meant. Which ones there are stands in python_jobs.environment as well.
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
