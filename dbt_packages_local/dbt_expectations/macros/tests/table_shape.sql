{#- Expectations about the number of rows and the columns of a table. -#}

{#- One row per group (or one in all) whose number of rows is out of range. -#}
{% test expect_table_row_count_to_be_between(model, min_value=None, max_value=None, group_by=None, row_condition=None, strictly=False) %}
{{ dbt_expectations.row_counts_that_break(model, dbt_expectations.within('count(*)', min_value, max_value, strictly), group_by, row_condition) }}
{% endtest %}

{% test expect_table_row_count_to_equal(model, value, group_by=None, row_condition=None) %}
{{ dbt_expectations.row_counts_that_break(model, 'count(*) = ' ~ value, group_by, row_condition) }}
{% endtest %}

{% macro row_counts_that_break(model, condition, group_by, row_condition) -%}
    select {% if group_by %}{{ group_by | join(', ') }}, {% endif %}count(*) as n_records
    from {{ model }}
    {%- if row_condition %}
    where {{ row_condition }}
    {%- endif %}
    {%- if group_by %}
    group by {{ group_by | join(', ') }}
    {%- endif %}
    having not ({{ condition }})
{%- endmacro %}

{#- One row with the name of the column when it is missing, or stands elsewhere than at column_index (from 0). -#}
{% test expect_column_to_exist(model, column_name, column_index=None, transform="upper") %}
{%- set present = dbt_expectations.column_names(model, transform) -%}
{%- set wanted = dbt_expectations.transformed(column_name, transform) -%}
{{ dbt_expectations.names_as_rows([] if wanted in present and (column_index is none or present.index(wanted) == column_index) else [wanted]) }}
{% endtest %}

{#- One row per listed column that the table lacks. -#}
{% test expect_table_columns_to_contain_set(model, column_list, transform="upper") %}
{%- set present = dbt_expectations.column_names(model, transform) -%}
{%- set missing = [] -%}
{%- for column in column_list -%}
    {%- set wanted = dbt_expectations.transformed(column, transform) -%}
    {%- if wanted not in present -%}{%- do missing.append(wanted) -%}{%- endif -%}
{%- endfor -%}
{{ dbt_expectations.names_as_rows(missing) }}
{% endtest %}

{#- One row per column that stands in the list or in the table, but not in both. -#}
{% test expect_table_columns_to_match_set(model, column_list, transform="upper") %}
{%- set present = dbt_expectations.column_names(model, transform) -%}
{%- set wanted = [] -%}
{%- for column in column_list -%}{%- do wanted.append(dbt_expectations.transformed(column, transform)) -%}{%- endfor -%}
{%- set missing = wanted | reject('in', present) | list -%}
{%- set unexpected = present | reject('in', wanted) | list -%}
{{ dbt_expectations.names_as_rows(missing + unexpected if execute else []) }}
{% endtest %}

{#- Names of the columns of a table, in order; none while parsing. -#}
{% macro column_names(model, transform) -%}
    {%- set names = [] -%}
    {%- if execute -%}
        {%- for column in adapter.get_columns_in_relation(model) -%}
            {%- do names.append(dbt_expectations.transformed(column.name, transform)) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(names) }}
{%- endmacro %}

{% macro transformed(name, transform) -%}
    {{ return({'upper': name | upper, 'lower': name | lower}.get(transform, name)) }}
{%- endmacro %}

{% macro names_as_rows(names) -%}
    {%- for name in names %}
    select '{{ name }}' as column_name
    {{- ' union all' if not loop.last }}
    {%- else %}
    select cast(null as {{ dbt.type_string() }}) as column_name
    where 1 = 0
    {%- endfor %}
{%- endmacro %}
