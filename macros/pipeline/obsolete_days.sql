{#-
  A day that a pipeline has computed is obsolete when no row reaches it any more, because rows were withdrawn or
  corrected. Its rows are removed, so that every reader finds what it would find if those rows had never come. A day
  that a run named while no row reached it stays (gold.pipeline_day.is_named).
-#}

{#-
  Query of the obsolete days of a pipeline. `computed`: relation of the days it has computed; `reached`: relation of the
  first and the last day that rows reach, NULL without rows.
-#}
{% macro obsolete_days(pipeline, computed, reached) -%}
    select computed.date_kst
    from {{ computed }} as computed
    cross join {{ reached }} as reached
    where not {{ is_within('computed.date_kst', 'reached') }}
        and computed.date_kst not in (
            select named.date_kst from {{ ref('pipeline_day') }} as named
            where named.pipeline_name = '{{ pipeline }}' and named.is_named
        )
{%- endmacro %}

{#- First and last day that rows have left since a change; NULL if no row has left its day. -#}
{% macro left_day_range(from_seq) -%}
    select
        min(old_date_kst) as first_day,
        max(case table_name when 'silver.wallet_snapshot' then {{ day_closed_by('old_ts') }} else old_date_kst end) as last_day
    from {{ ref('change_log') }}
    where change_seq > {{ from_seq }} and old_date_kst is not null and old_date_kst is distinct from new_date_kst
{%- endmacro %}

{#- Condition: a day lies within first_day and last_day of a relation; false where they are NULL. -#}
{% macro is_within(day, day_range) -%}
    coalesce({{ day }} >= {{ day_range }}.first_day and {{ day }} <= {{ day_range }}.last_day, false)
{%- endmacro %}

{#- List of days as date literals. -#}
{% macro date_literals(days) -%} (date '{{ days | join("', date '") }}') {%- endmacro %}

{#-
  Pre-hook of the model `days` of controls or analytics: removes the rows of the obsolete days that `input` lists from
  every table whose scope is these days, and from gold.pipeline_day last, so that a run that is killed in between is
  repeated.
-#}
{% macro remove_obsolete_days(pipeline, days, input) -%}
    {%- set obsolete = days_of_list('select obsolete_days from ' ~ input) -%}
    {%- if obsolete -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' -%}
            {%- set scope = node.config.get('meta', {}).get('scope') -%}
            {%- if scope is mapping and scope['ref'] == days -%}
                {%- do run_query('delete from ' ~ relation_of(node) ~ ' where ' ~ scope['on'][0] ~ ' in ' ~ date_literals(obsolete)) -%}
            {%- endif -%}
        {%- endfor -%}
        {{ delete_computed_days(pipeline, obsolete) }}
    {%- endif -%}
{%- endmacro %}

{#-
  Pre-hook of int_dq_windows: the same for the guardrail, whose day rows go, also those of a run that was killed before
  it recorded its days.
-#}
{% macro remove_obsolete_guardrail_days() -%}
    {%- set computed -%}
        (
            select date_kst from {{ ref('pipeline_day') }} where pipeline_name = 'pipeline_a'
            union
            select date_kst from {{ stored_table('dq_status') }} where window_kind = 'day'
        )
    {%- endset -%}
    {%- set obsolete = days_of_list(
        'select ' ~ concat_sorted('cast(date_kst as string)') ~ ' from ('
        ~ obsolete_days('pipeline_a', computed, ref('int_guardrail_input')) ~ ') as obsolete'
    ) -%}
    {%- if obsolete -%}
        {%- do run_query(
            'delete from ' ~ stored_table('dq_status') ~ " where window_kind = 'day' and date_kst in " ~ date_literals(obsolete)
        ) -%}
        {{ delete_computed_days('pipeline_a', obsolete) }}
    {%- endif -%}
{%- endmacro %}

{#- The days that a query gives as one text (concat_sorted), a list of texts. -#}
{% macro days_of_list(sql) -%}
    {%- set days = read_value(sql, '') | string -%}
    {{ return(days.split(', ') if days else []) }}
{%- endmacro %}

{% macro delete_computed_days(pipeline, obsolete) -%}
    {{- assert_write_is_declared('pipeline_day') -}}
    delete from {{ ref('pipeline_day') }}
    where pipeline_name = '{{ pipeline }}' and date_kst in {{ date_literals(obsolete) }}
{%- endmacro %}
