{#-
  Lets a Spark session plan for as many rows as Bronze holds: what pays for many rows costs every statement time. The
  other engines do so themselves.
-#}
{% macro suit_session() -%} {{ adapter.dispatch('suit_session', 'plura')() }} {%- endmacro %}
{% macro default__suit_session() -%}{%- endmacro %}
{% macro sparksession__suit_session() -%}
    {%- if execute and flags.WHICH in ('run', 'build', 'snapshot') -%}
        {%- do adapter.suit_session() -%}
    {%- endif -%}
{%- endmacro %}
