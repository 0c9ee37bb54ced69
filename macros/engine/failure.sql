{#- Value that fails the statement with a message when it is computed. `message`: SQL of a text. -#}
{% macro failure(message, data_type) -%} {{ adapter.dispatch('failure', 'plura')(message, data_type) }} {%- endmacro %}
{% macro default__failure(message, data_type) -%} cast(raise_error({{ message }}) as {{ data_type }}) {%- endmacro %}
{% macro duckdb__failure(message, data_type) -%} cast(error({{ message }}) as {{ engine_type(data_type) }}) {%- endmacro %}
