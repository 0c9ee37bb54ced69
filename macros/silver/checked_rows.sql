{#-
  Checks the rows of one Silver table that a run has to look at, and chooses the version of each key that counts. These
  are the pending rows and, after a withdrawal, a reinstatement or a change of row rules (a replay), every row with a
  touched key.

  Result, one row per Bronze row looked at plus one per Silver row to be deleted:
    reason      why the row is bad, NULL for a good one
    is_pending  arrived since the last successful run (such rows count for the bad-rate gate)
    action      'upsert' where the row becomes the Silver row of its key, 'delete' where the key has no valid row
                left, else NULL
    is_content_change  false where only the version time of the Silver row moves
    old_*       the Silver row of the key before the run

  staged: list of staging views; target: Silver table; key, content: column names. The greatest version time wins; within
  one version time the last arrival, or with `first_wins` the first. `immutable`: columns in which a second line of the
  same key and version time must agree, else it is bad (`conflicting_entry`).
-#}
{% macro checked_rows(staged, target, key, content, first_wins=false, immutable=[]) -%}
    {%- set input = silver_input() -%}
    {#- named here, because dbt takes the lineage from what it meets while it parses: only a replay reads it -#}
    {%- set registry = source('bronze', 'load_registry') -%}
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

    stored as (

        select * from {{ target }}

    ),
    {% if input.replays %}
    touched_keys as (

        -- pending rows too: a run that was killed may have stored them
        select distinct {{ keys }}
        from staged
        where {{ key | join(' is not null and ') }} is not null
            {%- if not input.replays_all %}
            and {{ batch_has_changed('staged', input, registry) }}
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
        left join touched_keys on {{ same_key(key, 'staged', 'touched_keys') }}
        {%- endif %}
        where not staged.is_withdrawn
            and staged.ingest_seq <= {{ input.to_seq }}
            {%- if input.replays and not input.replays_all %}
            and (
                staged.ingest_seq > {{ input.from_seq }}
                or touched_keys.{{ key[0] }} is not null
                -- lines without a key, of a batch that came back and was never checked before
                or {{ batch_has_changed('staged', input, registry) }}
            )
            {%- endif %}

    ),

    ranked as (

        {{ ranked_versions(key, first_wins, immutable) }}

    ),

    -- the Silver row of the key before the run
    compared as (

        select
            candidates.*,
            stored.{{ key[0] }} is not null as has_old,
            stored.version_ts as old_version_ts,
            {%- for column in content %}
            stored.{{ column }} as old_{{ column }},
            {%- endfor %}
            {%- if immutable %}
            coalesce(ranked.contradicts_first, false) as contradicts_first,
            {%- endif %}
            coalesce(ranked.version_rank, 1) as version_rank
        from candidates
        left join stored
            on {{ same_key(key, 'candidates', 'stored') }} and candidates.reason is null
        left join ranked on candidates.ingest_seq = ranked.ingest_seq

    ),

    checked as (

        select
            compared.*,
            {% if immutable -%}
            case
                when compared.reason is not null then compared.reason
                when compared.contradicts_first then 'conflicting_entry'
                when not compared.is_replay and compared.has_old and compared.version_ts = compared.old_version_ts
                    and {{ differs_from_old(immutable, 'compared') }}
                    then 'conflicting_entry'
            end
            {%- else -%}
            compared.reason
            {%- endif %} as final_reason,
            {{ differs_from_old(content, 'compared') }} as differs
        from compared

    ),

    chosen as (

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
                {%- if not first_wins %}
                when not is_replay and version_ts = old_version_ts and differs then 'upsert'
                {%- endif %}
            end as action,
            not has_old or differs as is_content_change,
            old_version_ts,
            {{ 'old_' ~ content | join(', old_') }}
        from checked

    )
    {%- if input.replays %},

    removed as (

        {{ keys_without_a_version(target, key, content) }}

    )

    select * from chosen
    union all
    select * from removed
    {%- else %}

    select * from chosen
    {%- endif %}
{%- endmacro %}
