{#- Expectations about several columns of a row, and about keys. -#}

{% test expect_column_values_to_be_unique(model, column_name, row_condition=None) %}
{{ dbt_expectations.duplicated_keys(model, [column_name], 'all_values_are_missing', row_condition) }}
{% endtest %}

{#- ignore_row_if: all_values_are_missing, any_value_is_missing or never. -#}
{% test expect_compound_columns_to_be_unique(model, column_list, quote_columns=False, ignore_row_if="all_values_are_missing", row_condition=None) %}
{%- set columns = [] -%}
{%- for column in column_list -%}{%- do columns.append(adapter.quote(column) if quote_columns else column) -%}{%- endfor -%}
{{ dbt_expectations.duplicated_keys(model, columns, ignore_row_if, row_condition) }}
{% endtest %}

{#- One row per key that stands more than once, with the number of its rows. -#}
{% macro duplicated_keys(model, columns, ignore_row_if, row_condition) -%}
    {%- set joint = {'all_values_are_missing': ' or ', 'any_value_is_missing': ' and ', 'never': none} -%}
    {%- if ignore_row_if not in joint -%}
        {%- do exceptions.raise_compiler_error('ignore_row_if must be one of ' ~ joint.keys() | join(', ') ~ '; got ' ~ ignore_row_if) -%}
    {%- endif -%}
    {%- set conditions = [] -%}
    {%- if joint[ignore_row_if] -%}{%- do conditions.append('(' ~ columns | join(' is not null' ~ joint[ignore_row_if]) ~ ' is not null)') -%}{%- endif -%}
    {%- if row_condition -%}{%- do conditions.append('(' ~ row_condition ~ ')') -%}{%- endif -%}
    select {{ columns | join(', ') }}, count(*) as n_records
    from {{ model }}
    {%- if conditions %}
    where {{ conditions | join(' and ') }}
    {%- endif %}
    group by {{ columns | join(', ') }}
    having count(*) > 1
{%- endmacro %}

{% test expect_column_pair_values_A_to_be_greater_than_B(model, column_A, column_B, or_equal=False, row_condition=None) %}
{{ dbt_expectations.rows_that_break(model, column_A ~ (' >= ' if or_equal else ' > ') ~ column_B, row_condition) }}
{% endtest %}

{% test expect_column_pair_values_to_be_equal(model, column_A, column_B, row_condition=None) %}
{{ dbt_expectations.rows_that_break(model, column_A ~ ' = ' ~ column_B, row_condition) }}
{% endtest %}

{#- With group_by_columns the expression is one over groups, for example `sum(amount) >= 0`. -#}
{% test expression_is_true(model, expression, test_condition="= true", group_by_columns=None, row_condition=None) %}
{%- if group_by_columns %}
select {{ group_by_columns | join(', ') }}
from {{ model }}
    {%- if row_condition %}
where {{ row_condition }}
    {%- endif %}
group by {{ group_by_columns | join(', ') }}
having not (({{ expression }}) {{ test_condition }})
{%- else %}
{{ dbt_expectations.rows_that_break(model, '(' ~ expression ~ ') ' ~ test_condition, row_condition) }}
{%- endif %}
{% endtest %}
