{#- Which KST days a run computes. -#}

{#- First and last KST day that rows of Silver reach, NULL without rows; a wallet snapshot reaches the day that it closes. -#}
{% macro silver_day_range() -%}
    select min(first_day) as first_day, max(last_day) as last_day
    from (
        select min(event_date_kst) as first_day, max(event_date_kst) as last_day from {{ ref('ledger_entries') }}
        union all
        select min(event_date_kst) as first_day, max(event_date_kst) as last_day from {{ ref('order_events') }}
        union all
        select min(snapshot_date_kst) as first_day, {{ day_closed_by('max(snapshot_ts)') }} as last_day
        from {{ ref('wallet_snapshot') }}
    ) as silver_days
{%- endmacro %}

{#-
  The stretch of silver.change_log that a run of controls or analytics takes in: `from_seq`, `to_seq`. It is read before
  the gate: what Silver writes in a run that begins later is left to the next run.
-#}
{% macro changes_to_consume(pipeline) -%}
    {%- set row = read_row(
        'select (select coalesce(max(change_seq), 0) from ' ~ ref('change_log') ~ ') as to_seq,'
        ~ ' (select coalesce(max(consumed_change_seq), 0) from ' ~ ref('pipeline_state')
        ~ " where pipeline_name = '" ~ pipeline ~ "') as from_seq",
        {'to_seq': 0, 'from_seq': 0}
    ) -%}
    {{- assert_pipeline_ready(pipeline) -}}
    {{ return({'from_seq': row.from_seq | int, 'to_seq': row.to_seq | int}) }}
{%- endmacro %}

{#-
  CTEs that end in `lake_days`, one row: the days that rows of Silver reach, the days that rows have left since
  `from_seq`, and what the pipeline has computed of them. `written`: query of the days of a table of the pipeline, by
  which what a run wrote counts as computed even if the run was killed before it recorded its days.
-#}
{% macro days_of_lake(pipeline, from_seq, written) -%}
    reached as (

        {{ silver_day_range() }}

    ),

    rows_left as (

        {{ left_day_range(from_seq) }}

    ),

    done as (

        select date_kst from {{ ref('pipeline_day') }}
        where pipeline_name = '{{ pipeline }}'

    ),

    written as (

        {{ written }}

    ),

    known as (

        select date_kst from done
        union
        select date_kst from written

    ),

    unrecorded as (

        select count(*) as day_cnt from written
        where date_kst not in (select done.date_kst from done)

    ),

    -- only a row that has left its day, or a day that is written but not recorded, can make a day obsolete
    obsolete as (

        select unreached.date_kst
        from (
            {{ obsolete_days(pipeline, 'known', 'reached') }}
        ) as unreached
        cross join rows_left
        cross join unrecorded
        where rows_left.first_day is not null or unrecorded.day_cnt > 0

    ),

    listed as (

        select {{ concat_sorted('cast(date_kst as string)') }} as obsolete_days from obsolete

    ),

    last_done as (

        select max(date_kst) as last_computed_day from done
        where date_kst not in (select obsolete.date_kst from obsolete)

    ),

    lake_days as (

        select
            reached.first_day,
            reached.last_day,
            rows_left.first_day as first_left_day,
            rows_left.last_day as last_left_day,
            last_done.last_computed_day,
            listed.obsolete_days
        from reached
        cross join rows_left
        cross join last_done
        cross join listed

    )
{%- endmacro %}

{#-
  What a run of controls or analytics takes in (its input model), as values: conditions on literals let the engine skip
  files and row groups of older rows. Days and instants are literals, even where nothing was computed or moved.
-#}
{% macro days_input(relation) -%}
    {%- set row = read_row('select * from ' ~ relation, {'from_seq': 0, 'to_seq': 0, 'last_computed_day': none}) -%}
    {{ return({
        'from_seq': row.from_seq | int,
        'to_seq': row.to_seq | int,
        'has_computed': row.last_computed_day is not none,
        'last_computed': "date '" ~ (row.last_computed_day or '0001-01-01') ~ "'",
        'tolerance_us': row.get('tolerance_us', 0) | int,
        'first_moved_entry': "timestamp '" ~ (row.get('first_moved_entry_ts') or '9999-12-31 00:00:00') ~ "'",
    }) }}
{%- endmacro %}

{#-
  Days asked for: those the run names, else every closed KST day from the first to the last that rows of Silver reach,
  gaps included, that the pipeline has not done. `input`: input model of the pipeline. `is_unreached`: the day is named
  although no row reaches it. Named days that rows have left are not among them: the run is about to remove them.
-#}
{% macro requested_days(pipeline, input) -%}
    {%- if days_are_named() -%}
    select numbers.date_kst, not {{ is_within('numbers.date_kst', 'input') }} as is_unreached
    from (
        select {{ from_day_number('n') }} as date_kst
        from (select {{ explode_range(day_number(named_from()), day_number(named_to())) }} as n) as days
    ) as numbers
    cross join {{ input }} as input
    where {{ is_within('numbers.date_kst', 'input') }}
        or not coalesce(
            numbers.date_kst >= least(input.first_day, input.first_left_day)
            and numbers.date_kst <= greatest(input.last_day, input.last_left_day), false
        )
    {%- else -%}
    select {{ from_day_number('n') }} as date_kst, false as is_unreached
    from (
        select {{ explode_range('first_day', 'last_day') }} as n
        from (
            select
                {{ day_number('first_day') }} as first_day,
                least({{ day_number('last_day') }}, {{ day_number(kst_date(as_of())) }} - 1) as last_day
            from {{ input }}
            where first_day is not null
        ) as bounds
    ) as numbers
    where {{ from_day_number('n') }} not in (
        select done.date_kst from {{ ref('pipeline_day') }} as done where done.pipeline_name = '{{ pipeline }}'
    )
    {%- endif -%}
{%- endmacro %}
