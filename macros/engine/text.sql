{#- Text. -#}

{#- Without surrounding white space; empty text is NULL. -#}
{% macro trimmed(text) -%} {{ adapter.dispatch('trimmed', 'plura')(text) }} {%- endmacro %}
{% macro default__trimmed(text) -%} nullif(trim(both ' \t\n\r\u000b\u000c' from {{ text }}), '') {%- endmacro %}
{#- DuckDB trims slowly, so texts that neither begin nor end with a space or a control character pass as they are. -#}
{% macro duckdb__trimmed(text) -%}
    case
        when ({{ text }})[1] > ' ' and ({{ text }})[-1] > ' ' then {{ text }}
        else nullif(trim({{ text }}, e' \t\n\r\f' || chr(11)), '')
    end
{%- endmacro %}

{#- A text as a literal that stands for exactly that text. -#}
{% macro text_literal(text) -%} {{ return(adapter.dispatch('text_literal', 'plura')(text)) }} {%- endmacro %}
{% macro default__text_literal(text) -%} {{ return("'" ~ text | replace('\\', '\\\\') | replace("'", "\\'") ~ "'") }} {%- endmacro %}
{% macro duckdb__text_literal(text) -%} {{ return("'" ~ text | replace("'", "''") ~ "'") }} {%- endmacro %}

{#- Lower-case hexadecimal SHA-256 of the UTF-8 text (64 characters). -#}
{% macro sha256_hex(text) -%} {{ adapter.dispatch('sha256_hex', 'plura')(text) }} {%- endmacro %}
{% macro default__sha256_hex(text) -%} sha2({{ text }}, 256) {%- endmacro %}
{% macro duckdb__sha256_hex(text) -%} sha256({{ text }}) {%- endmacro %}

{#- Deterministic id of a row: SHA-256 over its parts as text, NULL told apart from empty text. -#}
{% macro row_id(parts) -%}
    {%- set texts = [] -%}
    {%- for part in parts -%}
        {%- do texts.append("coalesce(cast(" ~ part ~ " as string), '~')") -%}
    {%- endfor -%}
    {{ sha256_hex('concat(' ~ texts | join(", '|', ") ~ ')') }}
{%- endmacro %}

{#-
  First group of a regular expression in a text without surrounding white space; NULL where it does not match. Java takes
  five more characters for the end of a line than DuckDB does, which (?d) forbids.
-#}
{% macro regex_group(text, pattern) -%} {{ adapter.dispatch('regex_group', 'plura')(text, pattern) }} {%- endmacro %}
{% macro default__regex_group(text, pattern) -%}
    nullif(regexp_extract({{ text }}, concat('(?d)', {{ pattern }}), 1), '')
{%- endmacro %}
{% macro duckdb__regex_group(text, pattern) -%} nullif(regexp_extract({{ text }}, {{ pattern }}, 1), '') {%- endmacro %}

{#- Text of a top-level key of a JSON object; NULL where the key is absent or null. -#}
{% macro json_value(json, key) -%} {{ adapter.dispatch('json_value', 'plura')(json, key) }} {%- endmacro %}
{% macro default__json_value(json, key) -%} get_json_object({{ json }}, '$.{{ key }}') {%- endmacro %}
{% macro duckdb__json_value(json, key) -%} json_extract_string({{ json }}, '{{ key }}') {%- endmacro %}

{#- Whether a list holds a value. -#}
{% macro list_has(list, value) -%} {{ adapter.dispatch('list_has', 'plura')(list, value) }} {%- endmacro %}
{% macro default__list_has(list, value) -%} array_contains({{ list }}, {{ value }}) {%- endmacro %}
{% macro duckdb__list_has(list, value) -%} list_contains({{ list }}, {{ value }}) {%- endmacro %}

{#- First element of a list, NULL for an empty one. -#}
{% macro list_first(list) -%} {{ adapter.dispatch('list_first', 'plura')(list) }} {%- endmacro %}
{% macro default__list_first(list) -%} try_element_at({{ list }}, 1) {%- endmacro %}
{% macro duckdb__list_first(list) -%} {{ list }}[1] {%- endmacro %}

{#- Value of a key of a map, NULL where it has none. -#}
{% macro map_value(map, key) -%} {{ adapter.dispatch('map_value', 'plura')(map, key) }} {%- endmacro %}
{% macro default__map_value(map, key) -%} try_element_at({{ map }}, '{{ key }}') {%- endmacro %}
{% macro duckdb__map_value(map, key) -%} {{ map }}['{{ key }}'] {%- endmacro %}

{#- All texts of a group in ascending order, joined by a comma. NULLs are left out. -#}
{% macro concat_sorted(text) -%} {{ adapter.dispatch('concat_sorted', 'plura')(text) }} {%- endmacro %}
{% macro default__concat_sorted(text) -%} array_join(sort_array(collect_list({{ text }})), ', ') {%- endmacro %}
{% macro duckdb__concat_sorted(text) -%} string_agg({{ text }}, ', ' order by {{ text }}) {%- endmacro %}

{#- The texts of a list in its order, with line ends between them; NULL for a NULL list. -#}
{% macro list_text(list) -%} {{ adapter.dispatch('list_text', 'plura')(list) }} {%- endmacro %}
{% macro default__list_text(list) -%} array_join({{ list }}, '\n') {%- endmacro %}
{% macro duckdb__list_text(list) -%} array_to_string({{ list }}, e'\n') {%- endmacro %}
