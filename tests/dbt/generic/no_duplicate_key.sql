{#-
  No two rows share the key; NULL equals NULL. Yields one row per repeated key with the number of its rows.

  columns        the key
  row_condition  SQL condition; only rows that meet it are looked at. With `{{ rows_of_run() }}` a build looks at the rows
                 it wrote itself; a check of the whole history would cost more each day, and is what `dbt test`
                 does.
-#}
{% test no_duplicate_key(model, columns, row_condition=none) %}
select
    {{ columns | join(', ') }},
    count(*) as row_cnt
from {{ model }}
{%- if row_condition %}
where {{ row_condition }}
{%- endif %}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
