{#- What the engines write differently, and the two shapes that most expectations share. -#}

{#- Condition: the text holds a match of the regular expression. NULL stays NULL. `flags`: 'i' ignores case. -#}
{% macro regex_matches(text, regex, flags='') -%}
    {{ return(adapter.dispatch('regex_matches', 'dbt_expectations')(text, regex, flags)) }}
{%- endmacro %}

{% macro default__regex_matches(text, regex, flags='') -%}
    {{ return(text ~ " rlike r'" ~ ('(?' ~ flags ~ ')' if flags else '') ~ regex ~ "'") }}
{%- endmacro %}

{% macro duckdb__regex_matches(text, regex, flags='') -%}
    {{ return('regexp_matches(' ~ text ~ ", '" ~ regex | replace("'", "''") ~ "'" ~ (", '" ~ flags ~ "'" if flags else '') ~ ')') }}
{%- endmacro %}

{#- Condition: `min_value <= expression <= max_value`, or `<` where `strictly`. One limit may be missing, not both. -#}
{% macro within(expression, min_value, max_value, strictly) -%}
    {%- if min_value is none and max_value is none -%}
        {%- do exceptions.raise_compiler_error('An expectation about a range needs min_value, max_value or both.') -%}
    {%- endif -%}
    {%- set limits = [] -%}
    {%- if min_value is not none -%}{%- do limits.append(expression ~ (' > ' if strictly else ' >= ') ~ min_value) -%}{%- endif -%}
    {%- if max_value is not none -%}{%- do limits.append(expression ~ (' < ' if strictly else ' <= ') ~ max_value) -%}{%- endif -%}
    {{ return(limits | join(' and ')) }}
{%- endmacro %}

{#- The rows of a model, under `row_condition`, for which a condition is false. A condition that is NULL holds. -#}
{% macro rows_that_break(model, condition, row_condition=none) -%}
    select *
    from {{ model }}
    where not ({{ condition }})
    {%- if row_condition %}
        and ({{ row_condition }})
    {%- endif %}
{%- endmacro %}

{#- A value of a set as SQL: text in quotes, everything else as written. -#}
{% macro set_member(value, quote_values) -%}
    {%- if quote_values -%}
        {{ return("'" ~ value | string | replace("'", "''") ~ "'") }}
    {%- endif -%}
    {{ return(value | string) }}
{%- endmacro %}
