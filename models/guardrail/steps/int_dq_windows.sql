{{ config(
    pre_hook="{{ remove_obsolete_guardrail_days() }}",
    meta={'reads': ['dq_status'], 'writes': ['dq_status', 'pipeline_day']},
) }}

{%- set input = ref('int_guardrail_input') %}
{#- as values, so that files and row groups of older Bronze rows are skipped unread -#}
{%- set limits = read_row(
    'select from_seq, from_status_seq, to_status_seq, tile_us, first_tile, last_tile from ' ~ input,
    {'from_seq': 0, 'from_status_seq': 0, 'to_status_seq': 1, 'tile_us': 600000000, 'first_tile': 0, 'last_tile': -1}
) %}
{%- set from_seq, tile_us = limits.from_seq | int, limits.tile_us | int %}

with arrived as (

    -- rows that came, left or came back since the last run
    select source_table, day_start, tile_start, source_time
    from {{ ref('int_guarded_rows') }}
    where ingest_seq > {{ from_seq }}
        {%- if limits.to_status_seq > limits.from_status_seq %}
        or batch_id in (
            select batch_id from {{ source('bronze', 'load_registry') }} where status_seq > {{ limits.from_status_seq | int }}
        )
        {%- endif %}

),

arrived_days as (

    select distinct source_table, day_start from arrived

),

arrived_tiles as (

    select distinct source_table, tile_start from arrived
    where exists (select 1 from {{ stored_table('dq_status') }} where window_kind = 'tile')

),

earliest_arrivals as (

    select source_table, min(source_time) as source_time from arrived
    group by source_table

),

sources as (

    select 'bronze.transaction_ledger_raw' as source_table
    union all
    select 'bronze.user_wallets_raw' as source_table
    union all
    select 'bronze.payment_orders_raw' as source_table

),

written as (

    select
        source_table,
        window_kind,
        window_start_ts,
        window_end_ts,
        date_kst,
        max_by(coalesce(freshness_sec, 999999999999), evaluation) as freshness_sec,
        max_by(coalesce(dq_tag, ''), evaluation) = '' as is_clean
    from {{ stored_table('dq_status') }}
    group by source_table, window_kind, window_start_ts, window_end_ts, date_kst

),

-- windows whose figures the arrivals change: those that hold them, and later ones that looked back past them
reopened as (

    select written.source_table, written.window_kind, written.window_start_ts
    from written
    left join arrived_days
        on written.window_kind = 'day' and written.source_table = arrived_days.source_table
        and written.window_start_ts = arrived_days.day_start
    left join arrived_tiles
        on written.window_kind = 'tile' and written.source_table = arrived_tiles.source_table
        and written.window_start_ts = arrived_tiles.tile_start
    left join earliest_arrivals on written.source_table = earliest_arrivals.source_table
    where arrived_days.day_start is not null
        or arrived_tiles.tile_start is not null
        or (
            earliest_arrivals.source_time < written.window_end_ts
            and written.freshness_sec * 1000000 >= {{ epoch_us('written.window_end_ts') }} - {{ epoch_us('written.window_start_ts') }}
        )

),
{% if days_are_named() %}
asked_days as (

    -- except days that rows have left: the run is about to remove them
    select numbers.date_kst
    from (
        select {{ from_day_number('n') }} as date_kst
        from (select {{ explode_range(day_number(named_from()), day_number(named_to())) }} as n) as days
    ) as numbers
    cross join {{ input }} as input
    where {{ kst_day_end('numbers.date_kst') }} <= {{ as_of() }}
        and (
            {{ is_within('numbers.date_kst', 'input') }}
            or not coalesce(numbers.date_kst >= input.former_first_day and numbers.date_kst <= input.former_last_day, false)
        )

),
{% else %}
asked_days as (

    -- every closed day that rows reach or that a run has watched
    select {{ from_day_number('n') }} as date_kst
    from (
        select {{ explode_range('first_day', 'last_day') }} as n
        from (
            select
                {{ day_number('first_day') }} as first_day,
                least({{ day_number('last_day') }}, {{ day_number(kst_date(as_of())) }} - 1) as last_day
            from {{ input }}
            where first_day is not null and last_day is not null
        ) as bounds
    ) as numbers

),
{% endif %}
known_days as (

    select date_kst from asked_days
    union
    select date_kst from {{ ref('pipeline_day') }}
    where pipeline_name = 'pipeline_a'

),

digests as (

    {{ guardrail_inputs_digest('known_days') }}

),

outdated_days as (

    select done.date_kst
    from {{ ref('pipeline_day') }} as done
    inner join digests on done.date_kst = digests.date_kst
    where done.pipeline_name = 'pipeline_a' and done.inputs_digest is distinct from digests.inputs_digest

),

day_windows as (

    select sources.source_table, asked_days.date_kst
    from asked_days
    cross join sources
    {%- if not days_are_named() %}
    -- by the days done, not by the rows there: retention removes rows and must not bring them back
    where asked_days.date_kst not in (
        select done.date_kst from {{ ref('pipeline_day') }} as done where done.pipeline_name = 'pipeline_a'
    )
    {%- endif %}
    union
    select sources.source_table, outdated_days.date_kst
    from outdated_days
    cross join sources
    union
    select source_table, {{ kst_date('window_start_ts') }} as date_kst
    from reopened
    where window_kind = 'day'

),

-- an alarm of a tile ends with the next clean tile. If no clean tile follows a reopened one any more, the tiles since the
-- clean tile before it are evaluated again
reopened_tiles as (

    select source_table, min(window_start_ts) as first_start, max(window_start_ts) as last_start
    from reopened
    where window_kind = 'tile'
    group by source_table

),

clean_neighbours as (

    select
        reopened_tiles.source_table,
        reopened_tiles.last_start,
        max(case when clean.window_start_ts < reopened_tiles.first_start then clean.window_start_ts end) as clean_before,
        max(case when clean.window_start_ts > reopened_tiles.last_start then clean.window_start_ts end) as clean_after
    from reopened_tiles
    left join written as clean
        on clean.window_kind = 'tile' and clean.is_clean and clean.source_table = reopened_tiles.source_table
    group by reopened_tiles.source_table, reopened_tiles.last_start

),

alarmed_tiles as (

    select written.source_table, written.window_start_ts
    from written
    inner join clean_neighbours on written.source_table = clean_neighbours.source_table
    where written.window_kind = 'tile'
        and clean_neighbours.clean_after is null
        and written.window_start_ts <= clean_neighbours.last_start
        and (clean_neighbours.clean_before is null or written.window_start_ts > clean_neighbours.clean_before)

),

tile_windows as (
    {% if is_watching() %}
    select sources.source_table, {{ from_epoch_us('cast(tiles.n as bigint) * ' ~ tile_us) }} as window_start_ts
    from (select {{ explode_range(limits.first_tile | int, limits.last_tile | int) }} as n) as tiles
    cross join sources
    union
    {%- endif %}
    select source_table, window_start_ts
    from reopened
    where window_kind = 'tile'
    union
    select source_table, window_start_ts from alarmed_tiles

),

accepted as (

    select max(earliest_instant) as earliest_instant from {{ ref('int_row_rules') }}

),

windows as (

    select
        day_windows.source_table,
        'day' as window_kind,
        {{ kst_day_start('day_windows.date_kst') }} as window_start_ts,
        {{ kst_day_end('day_windows.date_kst') }} as window_end_ts,
        day_windows.date_kst,
        digests.inputs_digest
    from day_windows
    left join digests on day_windows.date_kst = digests.date_kst
    union all
    select
        source_table,
        'tile' as window_kind,
        window_start_ts,
        {{ from_epoch_us(epoch_us('window_start_ts') ~ ' + ' ~ tile_us) }} as window_end_ts,
        {{ kst_date('window_start_ts') }} as date_kst,
        cast(null as string) as inputs_digest
    from tile_windows

),

final as (

    select
        windows.*,
        accepted.earliest_instant
    from windows
    cross join accepted

)

select * from final
