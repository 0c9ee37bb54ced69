{#-
  A day that a pipeline has computed is obsolete when no row reaches it any more, because rows were withdrawn or
  corrected. Its rows are removed, so that every reader finds what it would find if those rows had never come. A day
  that a run named while no row reached it stays (gold.pipeline_day.is_named).
-#}

{#-
  The obsolete days of a pipeline, a list of texts. `computed`: query of the days it has computed; `called_for`: query
  of the first and the last day that rows reach, NULL without rows.
-#}
{% macro obsolete_days(pipeline, computed, called_for) -%}
    {%- set found -%}
        select {{ concat_sorted('cast(computed.date_kst as string)') }}
        from ({{ computed }}) as computed
        cross join ({{ called_for }}) as called_for
        where not {{ is_within('computed.date_kst', 'called_for') }}
            and computed.date_kst not in (
                select named.date_kst from {{ ref('pipeline_day') }} as named
                where named.pipeline_name = '{{ pipeline }}' and named.is_named
            )
    {%- endset -%}
    {%- set days = read_value(found, '') | string -%}
    {{ return(days.split(', ') if days else []) }}
{%- endmacro %}

{#-
  Of controls and analytics. What a run wrote that was killed before it recorded its days counts as computed. Only a row
  that has left its day since the last success, or a row of Gold on a day that is not recorded, can make a day obsolete.
-#}
{% macro obsolete_controls_days() -%}
    {%- set recorded, called_for = computed_days_of('pipeline_b'), silver_day_range() -%}
    {%- set written = "select date_kst from " ~ stored_table('ledger_supply_balance_daily') -%}
    {%- set unrecorded = read_value("select count(*) from (" ~ written ~ ") as w where date_kst not in (" ~ recorded ~ ")", 0) | int -%}
    {%- set is_possible = unrecorded or rows_have_left_days('pipeline_b') -%}
    {{ return(obsolete_days('pipeline_b', recorded ~ ' union ' ~ written, called_for) if is_possible else []) }}
{%- endmacro %}

{% macro obsolete_analytics_days() -%}
    {%- set recorded, called_for = computed_days_of('pipeline_c'), silver_day_range() -%}
    {%- set written = "select date_kst from " ~ stored_table('fact_payment_anonymized') -%}
    {%- set is_possible = rows_have_left_days('pipeline_c') -%}
    {{ return(obsolete_days('pipeline_c', recorded ~ ' union ' ~ written, called_for) if is_possible else []) }}
{%- endmacro %}

{#- Query of the days that a pipeline has recorded as computed. -#}
{% macro computed_days_of(pipeline) -%}
    select date_kst from {{ ref('pipeline_day') }} where pipeline_name = '{{ pipeline }}'
{%- endmacro %}

{#- First and last day that rows have left since a change; NULL if no row has left its day. -#}
{% macro left_day_range(from_seq) -%}
    select
        min(old_date_kst) as first_day,
        max(case table_name when 'silver.wallet_snapshot' then {{ day_closed_by('old_ts') }} else old_date_kst end) as last_day
    from {{ ref('change_log') }}
    where change_seq > {{ from_seq }} and old_date_kst is not null and old_date_kst is distinct from new_date_kst
{%- endmacro %}

{#- Whether a row of Silver has left its day since a pipeline last succeeded. -#}
{% macro rows_have_left_days(pipeline) -%}
    {%- set from_seq = read_value("select consumed_change_seq from " ~ ref('pipeline_state') ~ " where pipeline_name = '" ~ pipeline ~ "'", 0) -%}
    {{ return(read_value(left_day_range(from_seq), '') | string | length > 0) }}
{%- endmacro %}

{#- Of the guardrail, which also finds the day rows of a run that was killed before it recorded its days. -#}
{% macro obsolete_guardrail_days() -%}
    {%- set computed -%}
        {{ computed_days_of('pipeline_a') }}
        union
        select date_kst from {{ stored_table('dq_status') }} where window_kind = 'day'
    {%- endset -%}
    {{ return(obsolete_days('pipeline_a', computed, 'select first_day, last_day from ' ~ ref('int_guardrail_input'))) }}
{%- endmacro %}

{#- Condition: a day lies within first_day and last_day of a relation; false where they are NULL. -#}
{% macro is_within(day, day_range) -%}
    coalesce({{ day }} >= {{ day_range }}.first_day and {{ day }} <= {{ day_range }}.last_day, false)
{%- endmacro %}

{#- List of days as date literals. -#}
{% macro date_literals(days) -%} (date '{{ days | join("', date '") }}') {%- endmacro %}

{#-
  Pre-hook of the model `days` of controls or analytics: removes the rows of obsolete days from every table whose scope
  is these days, and from gold.pipeline_day last, so that a run that is killed in between is repeated.
-#}
{% macro remove_obsolete_days(pipeline, days, obsolete) -%}
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

{#- Pre-hook of int_dq_windows: the same for the guardrail, whose day rows go. -#}
{% macro remove_obsolete_guardrail_days() -%}
    {%- set obsolete = obsolete_guardrail_days() -%}
    {%- if obsolete -%}
        {%- do run_query(
            'delete from ' ~ stored_table('dq_status') ~ " where window_kind = 'day' and date_kst in " ~ date_literals(obsolete)
        ) -%}
        {{ delete_computed_days('pipeline_a', obsolete) }}
    {%- endif -%}
{%- endmacro %}

{% macro delete_computed_days(pipeline, obsolete) -%}
    {{- assert_write_is_declared('pipeline_day') -}}
    delete from {{ ref('pipeline_day') }}
    where pipeline_name = '{{ pipeline }}' and date_kst in {{ date_literals(obsolete) }}
{%- endmacro %}
