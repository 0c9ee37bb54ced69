{#-
  Salt on Databricks: a value of gold.pseudonym_salt, which holds what the secret scope holds. The SQL function
  secret() will not do: Databricks refuses it in every statement that writes (SECRET_FUNCTION_INVALID_LOCATION). So the
  value stands in no compiled SQL, no query history and no log.
-#}
{% macro databricks__salt() -%}
    {{ return('(select max(salt) from ' ~ ref('pseudonym_salt') ~ ')') }}
{%- endmacro %}

{#- A secret of the workspace is a version of its own, named or not. -#}
{% macro databricks__salt_version() -%}
    {{ return("'" ~ env_var('ANON_USER_KEY_SALT_VERSION', 'v1') ~ "'") }}
{%- endmacro %}
