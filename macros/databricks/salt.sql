{#-
  Salt on Databricks: an expression that reads the secret when the statement runs, so that the value stands in no
  compiled SQL, no query history and no log. PLURA_SALT_SCOPE and PLURA_SALT_KEY name it.
-#}
{% macro databricks__salt() -%}
    {{ return(
        "secret('" ~ env_var('PLURA_SALT_SCOPE', 'plura') ~ "', '" ~ env_var('PLURA_SALT_KEY', 'anon_user_key_salt') ~ "')"
    ) }}
{%- endmacro %}
