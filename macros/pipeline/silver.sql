{#- How a Silver run chooses among the rows of Bronze. -#}

{#- What this run has to read (model int_silver_input), as values, so that older Bronze rows are skipped unread. -#}
{% macro silver_input() -%}
    {%- set input = {'from_seq': 0, 'to_seq': 9223372036854775807, 'from_status_seq': 0, 'replays_all': false, 'replays': false} -%}
    {%- if execute and flags.WHICH in ('run', 'build') -%}
        {%- set row = run_query(
            'select from_seq, to_seq, from_status_seq, replays_all, replays from ' ~ ref('int_silver_input')
        ).rows[0] -%}
        {%- do input.update({
            'from_seq': row[0] | int, 'to_seq': row[1] | int, 'from_status_seq': row[2] | int,
            'replays_all': row[3], 'replays': row[4],
        }) -%}
    {%- endif -%}
    {{ return(input) }}
{%- endmacro %}

{#-
  Judges the rows of one Silver table that a run has to look at: the pending ones and, after a withdrawal, a
  reinstatement or a change of row rules, every row with a touched key.

  Result, one row per Bronze row looked at plus one per Silver row to be deleted:
    reason      why the row is bad, NULL for a good one
    is_pending  arrived since the last successful run (such rows count for the bad-rate gate)
    action      'upsert' where the row becomes the Silver row of its key, 'delete' where the key has no valid row
                left, else NULL
    is_content_change  false where only the version time of the Silver row moves
    old_*       the Silver row of the key before the run

  staged: list of staging views; target: Silver table; key, content: column names. The greatest version time wins; within
  one version time the last arrival, or with `first_stands` the first. `immutable`: columns in which a second line of
  the same key and version time must agree, else it is bad (`conflicting_entry`).
-#}
{% macro checked_rows(staged, target, key, content, first_stands=false, immutable=[]) -%}
    {%- set input = silver_input() -%}
    {%- set keys = key | join(', ') -%}
    with staged as (

        {% for view in staged -%}
        select {{ keys }}, {{ content | join(', ') }}, version_ts, reason, batch_id, line_number, ingest_seq, is_withdrawn
        from {{ ref(view) }}
        {%- if not input.replays %}
        where ingest_seq > {{ input.from_seq }}
        {%- endif %}
        {{ 'union all' if not loop.last }}
        {% endfor %}
    ),

    incumbents as (

        select * from {{ target }}

    ),
    {% if input.replays %}
    touched_keys as (

        -- pending rows too: a run that was killed may have stored them
        select distinct {{ keys }}
        from staged
        where {{ key | join(' is not null and ') }} is not null
            {%- if not input.replays_all %}
            and batch_id in (
                select batch_id from {{ source('bronze', 'load_registry') }}
                where status_seq > {{ input.from_status_seq }}
            )
            {%- endif %}

    ),
    {% endif %}
    candidates as (

        select
            staged.*,
            staged.ingest_seq > {{ input.from_seq }} as is_pending,
            {% if input.replays %}touched_keys.{{ key[0] }} is not null{% else %}false{% endif %} as is_replay
        from staged
        {%- if input.replays %}
        left join touched_keys
            on {% for k in key %}staged.{{ k }} = touched_keys.{{ k }}{{ ' and ' if not loop.last }}{% endfor %}
        {%- endif %}
        where not staged.is_withdrawn
            and staged.ingest_seq <= {{ input.to_seq }}
            {%- if input.replays and not input.replays_all %}
            and (
                staged.ingest_seq > {{ input.from_seq }}
                or touched_keys.{{ key[0] }} is not null
                -- lines without a key, of a batch that came back and was never checked before
                or staged.batch_id in (
                    select batch_id from {{ source('bronze', 'load_registry') }}
                    where status_seq > {{ input.from_status_seq }}
                )
            )
            {%- endif %}

    ),

    -- good rows of keys that several rows bring: few as a rule, so that ranking them costs little
    repeated_keys as (

        select {{ keys }} from candidates
        where reason is null
        group by {{ keys }}
        having count(*) > 1

    ),

    ranked as (

        select
            candidates.ingest_seq,
            row_number() over (
                partition by {% for k in key %}candidates.{{ k }}{{ ', ' if not loop.last }}{% endfor %}
                order by candidates.version_ts desc, candidates.ingest_seq {{ 'asc' if first_stands else 'desc' }}
            ) as version_rank
            {%- if immutable %},
            (
                {%- for c in immutable %}
                candidates.{{ c }} is distinct from (
                    first_value(candidates.{{ c }}) over (
                        partition by {% for k in key %}candidates.{{ k }}, {% endfor %}candidates.version_ts
                        order by candidates.ingest_seq
                    )
                ){{ ' or' if not loop.last }}
                {%- endfor %}
            ) as contradicts_first
            {%- endif %}
        from candidates
        inner join repeated_keys
            on {% for k in key %}candidates.{{ k }} = repeated_keys.{{ k }}{{ ' and ' if not loop.last }}{% endfor %}
        where candidates.reason is null

    ),

    -- the Silver row of the key as it stands before the run
    compared as (

        select
            candidates.*,
            incumbents.{{ key[0] }} is not null as has_old,
            incumbents.version_ts as old_version_ts,
            {%- for column in content %}
            incumbents.{{ column }} as old_{{ column }},
            {%- endfor %}
            {%- if immutable %}
            coalesce(ranked.contradicts_first, false) as contradicts_first,
            {%- endif %}
            coalesce(ranked.version_rank, 1) as version_rank
        from candidates
        left join incumbents
            on {% for k in key %}candidates.{{ k }} = incumbents.{{ k }} and {% endfor %}candidates.reason is null
        left join ranked on candidates.ingest_seq = ranked.ingest_seq

    ),

    judged as (

        select
            compared.*,
            {% if immutable -%}
            case
                when compared.reason is not null then compared.reason
                when compared.contradicts_first then 'conflicting_entry'
                when not compared.is_replay and compared.has_old and compared.version_ts = compared.old_version_ts
                    and ({% for c in immutable %}compared.{{ c }} is distinct from compared.old_{{ c }}{{ ' or ' if not loop.last }}{% endfor %})
                    then 'conflicting_entry'
            end
            {%- else -%}
            compared.reason
            {%- endif %} as final_reason,
            (
                {% for c in content %}compared.{{ c }} is distinct from compared.old_{{ c }}{{ ' or ' if not loop.last }}{% endfor %}
            ) as differs
        from compared

    ),

    decided as (

        select
            {{ keys }},
            {{ content | join(', ') }},
            version_ts,
            final_reason as reason,
            batch_id,
            line_number,
            ingest_seq,
            is_pending,
            case
                when final_reason is not null or version_rank > 1 then null
                when not has_old then 'upsert'
                when is_replay and (differs or version_ts <> old_version_ts) then 'upsert'
                when not is_replay and version_ts > old_version_ts then 'upsert'
                {%- if not first_stands %}
                when not is_replay and version_ts = old_version_ts and differs then 'upsert'
                {%- endif %}
            end as action,
            not has_old or differs as is_content_change,
            old_version_ts,
            {{ 'old_' ~ content | join(', old_') }}
        from judged

    )
    {%- if input.replays %},

    survivors as (

        select distinct {{ keys }} from decided where reason is null and not ({{ key[0] }} is null)

    ),

    removed as (

        select incumbents.*
        from incumbents
        inner join touched_keys
            on {% for k in key %}incumbents.{{ k }} = touched_keys.{{ k }}{{ ' and ' if not loop.last }}{% endfor %}
        left join survivors
            on {% for k in key %}incumbents.{{ k }} = survivors.{{ k }}{{ ' and ' if not loop.last }}{% endfor %}
        where survivors.{{ key[0] }} is null

    ),

    final as (

        select * from decided
        union all
        select
            {{ keys }},
            {%- for c in content %}
            cast(null as {{ engine_type(graph_column_type(target.identifier, c)) }}) as {{ c }},
            {%- endfor %}
            version_ts,
            cast(null as string) as reason,
            cast(null as string) as batch_id,
            cast(null as bigint) as line_number,
            cast(null as bigint) as ingest_seq,
            false as is_pending,
            'delete' as action,
            true as is_content_change,
            version_ts as old_version_ts,
            {{ content | join(', ') }}
        from removed

    )

    select * from final
    {%- else %}

    select * from decided
    {%- endif %}
{%- endmacro %}

{#- Type of a column in the contract of a model. -#}
{% macro graph_column_type(model_name, column) -%}
    {{ return(graph.nodes['model.plura.' ~ model_name].columns[column].data_type) }}
{%- endmacro %}

{#- Silver tables and the views over Bronze that feed them. -#}
{% macro silver_targets() -%}
    {{ return({
        'wallet_snapshot': ['stg_user_wallets'],
        'ledger_entries': ['stg_transaction_ledger'],
        'order_events': ['stg_payment_orders', 'stg_orders'],
        'order_items': ['stg_order_items'],
        'products': ['stg_products'],
    }) }}
{%- endmacro %}

{#- The bad-rate gate once more in the statement: nothing is published past a breach, even where tests are not run. -#}
{% macro gate_is_open() -%}
    not exists (select 1 from {{ ref('int_bad_rate_gate') }} where is_breached)
{%- endmacro %}

{% macro gate_is_breached() -%}
    {{ return(read_value('select count(*) from ' ~ ref('int_bad_rate_gate') ~ ' where is_breached', 0) > 0) }}
{%- endmacro %}
