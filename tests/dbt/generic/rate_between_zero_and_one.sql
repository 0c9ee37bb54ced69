{#- A share lies in [0, 1]. NULL, a share of nothing, is no failure. Yields the rows out of range. -#}
{% test rate_between_zero_and_one(model, column_name, row_condition=none) %}
select *
from {{ model }}
where ({{ column_name }} < 0 or {{ column_name }} > 1)
{%- if row_condition %}
    and {{ row_condition }}
{%- endif %}
{% endtest %}
