{#-
  Salt of the pseudonyms, as an expression: the secret scope on Databricks, else the environment, else a local dummy that
  a production target refuses. The value stands in no manifest and no log of the project: it is read when the model runs.
-#}
{% macro salt() -%}
    {{ return(adapter.dispatch('salt', 'plura')()) }}
{%- endmacro %}

{% macro default__salt() -%}
    {%- if not execute -%}
        {{ return("''") }}
    {%- endif -%}
    {%- set given = env_var('ANON_USER_KEY_SALT', '') -%}
    {%- if not given and env_var('PLURA_ENV', 'local') == 'prod' -%}
        {%- do exceptions.raise_compiler_error('No salt: set ANON_USER_KEY_SALT; the local dummy is refused in production (PLURA_ENV=prod).') -%}
    {%- endif -%}
    {{ return("'" ~ (given or 'local-salt-v1') | replace("'", "''") ~ "'") }}
{%- endmacro %}

{#- Which salt the pseudonyms were made with, so that a change of salt is visible. -#}
{% macro salt_version() -%}
    {{ return(adapter.dispatch('salt_version', 'plura')()) }}
{%- endmacro %}

{% macro default__salt_version() -%}
    {%- if not execute -%}
        {{ return("''") }}
    {%- endif -%}
    {{ return("'" ~ env_var('ANON_USER_KEY_SALT_VERSION', 'local-v1' if not env_var('ANON_USER_KEY_SALT', '') else 'v1') ~ "'") }}
{%- endmacro %}
