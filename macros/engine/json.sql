{#- JSON text, written the same by every engine. -#}

{#- A text as a JSON string; NULL becomes null. -#}
{% macro json_string(text) -%} {{ adapter.dispatch('json_string', 'plura')(text) }} {%- endmacro %}
{#- Spark writes no text alone as JSON, so that it is the only member of an object, whose frame is cut off. -#}
{% macro default__json_string(text) -%}
    case
        when {{ text }} is null then 'null'
        else substring(to_json(named_struct('v', {{ text }})), 6, length(to_json(named_struct('v', {{ text }}))) - 6)
    end
{%- endmacro %}
{% macro duckdb__json_string(text) -%} coalesce(cast(to_json({{ text }}) as varchar), 'null') {%- endmacro %}

{#- A UTC timestamp as a JSON string, ISO 8601 with microseconds; NULL becomes null. -#}
{% macro json_instant(ts) -%} {{ adapter.dispatch('json_instant', 'plura')(ts) }} {%- endmacro %}
{% macro default__json_instant(ts) -%}
    coalesce(concat('"', date_format({{ ts }}, 'yyyy-MM-dd'), 'T', date_format({{ ts }}, 'HH:mm:ss.SSSSSS'), 'Z"'), 'null')
{%- endmacro %}
{% macro duckdb__json_instant(ts) -%} coalesce('"' || strftime({{ ts }}, '%Y-%m-%dT%H:%M:%S.%f') || 'Z"', 'null') {%- endmacro %}

{#- A JSON object; `members`: SQL of each member's JSON text, never NULL, by name. -#}
{% macro json_object(members) -%}
    {%- set parts = [] -%}
    {%- for name, value in members.items() -%}
        {%- do parts.append("'" ~ ('{' if loop.first else ',') ~ '"' ~ name ~ "\":', " ~ value) -%}
    {%- endfor -%}
    concat({{ parts | join(', ') }}, '}')
{%- endmacro %}
