{#- Conditions over lists of columns. -#}

{#- The rows have the same key; a NULL in it equals nothing. -#}
{% macro same_key(key, left, right) -%}
    {%- for column in key -%}
        {{ left }}.{{ column }} = {{ right }}.{{ column }}{{ ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- A row differs from its former self in one of the columns; the former value is column `old_<name>`. -#}
{% macro differs_from_old(columns, rows) -%}
    (
        {%- for column in columns -%}
            {{ rows }}.{{ column }} is distinct from {{ rows }}.old_{{ column }}{{ ' or ' if not loop.last }}
        {%- endfor -%}
    )
{%- endmacro %}

{#- Columns of a relation as a list. -#}
{% macro columns_of(relation, columns) -%} {{ relation }}.{{ columns | join(', ' ~ relation ~ '.') }} {%- endmacro %}
