{#-
  Salt of the pseudonyms, as an expression: a value of gold.pseudonym_salt, which a Python model fills from the secret
  scope on Databricks, else from the environment. The value stands in no compiled SQL, and so in no artifact, no query
  history and no log.
-#}
{% macro salt() -%}
    {{ return('(select max(salt) from ' ~ ref('pseudonym_salt') ~ ')') }}
{%- endmacro %}

{#- Which salt the pseudonyms were made with, so that a change of salt is visible. -#}
{% macro salt_version() -%}
    {{ return(adapter.dispatch('salt_version', 'plura')()) }}
{%- endmacro %}

{% macro default__salt_version() -%}
    {%- if not execute -%}
        {{ return("''") }}
    {%- endif -%}
    {{ return(text_literal(env_var('ANON_USER_KEY_SALT_VERSION', 'local-v1' if not env_var('ANON_USER_KEY_SALT', '') else 'v1'))) }}
{%- endmacro %}

{#- A secret of the workspace is a version of its own, named or not. -#}
{% macro databricks__salt_version() -%}
    {{ return(text_literal(env_var('ANON_USER_KEY_SALT_VERSION', 'v1'))) }}
{%- endmacro %}
