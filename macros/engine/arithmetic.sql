{#-
  ratio(numerator, denominator): the exact quotient of two counts or amounts of money (scale 2), rounded half up to
  six decimals, as decimal(38,6); NULL where the denominator is 0. No floating point in between.
-#}
{% macro ratio(numerator, denominator) -%}
    {{ adapter.dispatch('ratio', 'plura')(numerator, denominator) }}
{%- endmacro %}

{#- Spark divides decimals exactly to more than six digits and rounds half up. -#}
{% macro default__ratio(numerator, denominator) -%}
    cast(round(cast({{ numerator }} as decimal(38,2)) / nullif(cast({{ denominator }} as decimal(38,2)), 0), 6) as decimal(38,6))
{%- endmacro %}

{#- DuckDB divides decimals as doubles, so whole hundredths are divided as 128-bit integers instead. -#}
{% macro duckdb__ratio(numerator, denominator) -%}
    cast(
        cast(
            (cast({{ numerator }} * 100 as hugeint) * 2000000 + cast({{ denominator }} * 100 as hugeint))
            // nullif(2 * cast({{ denominator }} * 100 as hugeint), 0) as decimal(30,0)
        ) * cast(0.000001 as decimal(7,6)) as decimal(38,6)
    )
{%- endmacro %}

{#- whole_quotient(a, b): how often b goes into a whole; both are whole numbers and not negative. -#}
{% macro whole_quotient(a, b) -%} {{ adapter.dispatch('whole_quotient', 'plura')(a, b) }} {%- endmacro %}
{% macro default__whole_quotient(a, b) -%} ({{ a }} div {{ b }}) {%- endmacro %}
{% macro duckdb__whole_quotient(a, b) -%} ({{ a }} // {{ b }}) {%- endmacro %}
