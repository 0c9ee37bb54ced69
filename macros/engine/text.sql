{#- Text. -#}

{#-
  Without white space, control characters and invisible characters around it, including those of Unicode; empty text is
  NULL. Text that was copied from a page or a spreadsheet often has some; a field of fixed length is padded with NUL.
-#}
{% macro trimmed(text) -%} {{ adapter.dispatch('trimmed', 'plura')(text) }} {%- endmacro %}
{% macro default__trimmed(text) -%}
    nullif(trim(both '\u0000{{ ascii_blanks('\\u%04x') }}{{ unicode_blanks('\\u%04x') }}' from {{ text }}), '')
{%- endmacro %}
{#-
  DuckDB trims slowly, so texts that begin and end with a visible character of ASCII or of Hangul pass as they are. Its
  literals take no NUL.
-#}
{% macro duckdb__trimmed(text) -%}
    case
        when (({{ text }})[1] between '!' and '~' or ({{ text }})[1] between '가' and '힣')
            and (({{ text }})[-1] between '!' and '~' or ({{ text }})[-1] between '가' and '힣') then {{ text }}
        else nullif(trim({{ text }}, chr(0) || e'{{ ascii_blanks('\\x%02x') }}' || '{{ unicode_blanks('%c') }}'), '')
    end
{%- endmacro %}

{#- The blank and the control characters of ASCII but NUL; `form` writes one as written in a literal of the engine. -#}
{% macro ascii_blanks(form) -%}
    {%- set characters = [] -%}
    {%- for code in range(1, 33) | list + [127] -%}
        {%- do characters.append(form % code) -%}
    {%- endfor -%}
    {{ return(characters | join('')) }}
{%- endmacro %}

{#-
  White space beyond ASCII (Unicode's White_Space), control characters, and invisible characters: soft hyphen, grapheme
  joiner, Arabic letter mark, Hangul fillers, inherent vowels of Khmer, Mongolian separators, joiners, marks of
  direction, invisible operators, the blank of Braille, variation selectors, byte order mark, annotation marks. `form`
  is the format of one in a literal of the engine.
-#}
{% macro unicode_blanks(form) -%}
    {%- set characters = [] -%}
    {%- for first, last in [
        (128, 160), (173, 173), (847, 847), (1564, 1564), (4447, 4448), (5760, 5760), (6068, 6069), (6155, 6159),
        (8192, 8207), (8232, 8239), (8287, 8303), (10240, 10240), (12288, 12288), (12644, 12644), (65024, 65039),
        (65279, 65279), (65440, 65440), (65520, 65531),
    ] -%}
        {%- for code in range(first, last + 1) -%}
            {%- do characters.append(form % code) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(characters | join('')) }}
{%- endmacro %}

{#- A text as a literal of exactly that text. -#}
{% macro text_literal(text) -%} {{ return(adapter.dispatch('text_literal', 'plura')(text)) }} {%- endmacro %}
{% macro default__text_literal(text) -%} {{ return("'" ~ text | replace('\\', '\\\\') | replace("'", "\\'") ~ "'") }} {%- endmacro %}
{% macro duckdb__text_literal(text) -%} {{ return("'" ~ text | replace("'", "''") ~ "'") }} {%- endmacro %}

{#- Lower-case hexadecimal SHA-256 of the UTF-8 text (64 characters). -#}
{% macro sha256_hex(text) -%} {{ adapter.dispatch('sha256_hex', 'plura')(text) }} {%- endmacro %}
{% macro default__sha256_hex(text) -%} sha2({{ text }}, 256) {%- endmacro %}
{% macro duckdb__sha256_hex(text) -%} sha256({{ text }}) {%- endmacro %}

{#- Deterministic id of a row: SHA-256 over its parts as text, NULL differs from empty text. -#}
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

{#- Whether a text has a match of a regular expression. -#}
{% macro matches(text, pattern) -%} {{ adapter.dispatch('matches', 'plura')(text, pattern) }} {%- endmacro %}
{% macro default__matches(text, pattern) -%} ({{ text }} rlike {{ pattern }}) {%- endmacro %}
{% macro duckdb__matches(text, pattern) -%} regexp_matches({{ text }}, {{ pattern }}) {%- endmacro %}

{#- One regular expression that matches a whole text where one of a list does; NULL for an empty list. -#}
{% macro any_of_patterns(patterns) -%} {{ adapter.dispatch('any_of_patterns', 'plura')(patterns) }} {%- endmacro %}
{% macro default__any_of_patterns(patterns) -%}
    case when size({{ patterns }}) > 0 then concat({{ text_literal('\\A(?:') }}, array_join({{ patterns }}, '|'), {{ text_literal(')\\z') }}) end
{%- endmacro %}
{% macro duckdb__any_of_patterns(patterns) -%}
    case when len({{ patterns }}) > 0 then '\A(?:' || array_to_string({{ patterns }}, '|') || ')\z' end
{%- endmacro %}

{#- A whole number without leading zeros, other text as it is. -#}
{% macro number_text(text) -%}
    case when {{ matches(text, "'^[0-9]+$'") }} then coalesce(nullif(trim(leading '0' from {{ text }}), ''), '0') else {{ text }} end
{%- endmacro %}

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
