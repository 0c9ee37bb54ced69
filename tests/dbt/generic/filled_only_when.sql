{#-
  A column holds a value exactly in the rows that meet a condition, for example a severity exactly where the verdict is
  a finding. A condition that is NULL counts as not met. Yields the rows that hold one without the other.

  at_most        true lets the column be NULL where the condition is met
  row_condition  SQL condition; only rows that meet it are looked at
-#}
{% test filled_only_when(model, column_name, condition, at_most=false, row_condition=none) %}
select *
from {{ model }}
where (
    ({{ column_name }} is not null and not coalesce({{ condition }}, false))
    {%- if not at_most %}
    or ({{ column_name }} is null and coalesce({{ condition }}, false))
    {%- endif %}
)
{%- if row_condition %}
    and {{ row_condition }}
{%- endif %}
{% endtest %}
