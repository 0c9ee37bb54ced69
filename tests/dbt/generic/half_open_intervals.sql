{#-
  Validity of versions is half-open, [start, end): every interval holds something, intervals of one key do not overlap,
  and exactly one version of each key is open. Yields one row per problem: the key, `problem` and the instant.

  key          columns that identify what has versions; NULL equals NULL
  start_column, end_column  the limits
  open_end     SQL value of the end of an open version
-#}
{% test half_open_intervals(model, key, start_column, end_column, open_end="timestamp '9999-12-31 00:00:00'") %}
{%- set keys = key | join(', ') %}
with versions as (

    select
        {{ keys }},
        {{ start_column }} as start_at,
        {{ end_column }} as end_at,
        lag({{ end_column }}) over (partition by {{ keys }} order by {{ start_column }}, {{ end_column }}) as previous_end_at
    from {{ model }}

),

problems as (

    select {{ keys }}, 'empty' as problem, start_at from versions
    where not coalesce(start_at < end_at, false)
    union all
    select {{ keys }}, 'overlap' as problem, start_at from versions
    where previous_end_at > start_at
    union all
    select {{ keys }}, 'open versions' as problem, min(start_at) as start_at from versions
    group by {{ keys }}
    having count(case when end_at = {{ open_end }} then 1 end) <> 1

)

select * from problems
{% endtest %}
