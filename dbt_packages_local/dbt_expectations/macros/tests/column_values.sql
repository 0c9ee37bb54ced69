{#- Expectations about the values of one column; each yields the rows that break it. -#}

{% test expect_column_values_to_not_be_null(model, column_name, row_condition=None) %}
{{ dbt_expectations.rows_that_break(model, column_name ~ ' is not null', row_condition) }}
{% endtest %}

{% test expect_column_values_to_be_null(model, column_name, row_condition=None) %}
{{ dbt_expectations.rows_that_break(model, column_name ~ ' is null', row_condition) }}
{% endtest %}

{% test expect_column_values_to_be_between(model, column_name, min_value=None, max_value=None, row_condition=None, strictly=False) %}
{{ dbt_expectations.rows_that_break(model, dbt_expectations.within(column_name, min_value, max_value, strictly), row_condition) }}
{% endtest %}

{#- NULL is in no set. -#}
{% test expect_column_values_to_be_in_set(model, column_name, value_set, quote_values=True, row_condition=None) %}
{%- set members = [] -%}
{%- for value in value_set -%}{%- do members.append(dbt_expectations.set_member(value, quote_values)) -%}{%- endfor -%}
{{ dbt_expectations.rows_that_break(model, 'coalesce(' ~ column_name ~ ' in (' ~ members | join(', ') ~ '), false)', row_condition) }}
{% endtest %}

{% test expect_column_values_to_not_be_in_set(model, column_name, value_set, quote_values=True, row_condition=None) %}
{%- set members = [] -%}
{%- for value in value_set -%}{%- do members.append(dbt_expectations.set_member(value, quote_values)) -%}{%- endfor -%}
{{ dbt_expectations.rows_that_break(model, column_name ~ ' not in (' ~ members | join(', ') ~ ')', row_condition) }}
{% endtest %}

{% test expect_column_values_to_match_regex(model, column_name, regex, row_condition=None, is_raw=False, flags="") %}
{{ dbt_expectations.rows_that_break(model, dbt_expectations.regex_matches(column_name, regex, flags), row_condition) }}
{% endtest %}

{% test expect_column_values_to_not_match_regex(model, column_name, regex, row_condition=None, is_raw=False, flags="") %}
{{ dbt_expectations.rows_that_break(model, 'not ' ~ dbt_expectations.regex_matches(column_name, regex, flags), row_condition) }}
{% endtest %}

{% test expect_column_value_lengths_to_equal(model, column_name, value, row_condition=None) %}
{{ dbt_expectations.rows_that_break(model, 'length(' ~ column_name ~ ') = ' ~ value, row_condition) }}
{% endtest %}

{% test expect_column_value_lengths_to_be_between(model, column_name, min_value=None, max_value=None, row_condition=None, strictly=False) %}
{{ dbt_expectations.rows_that_break(model, dbt_expectations.within('length(' ~ column_name ~ ')', min_value, max_value, strictly), row_condition) }}
{% endtest %}
