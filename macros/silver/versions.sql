{#- Parts of checked_rows: which version of a key counts, and which keys have none left. -#}

{#-
  Query: rank of each good row among those of its key, the version that counts first; `contradicts_first` where it
  disagrees in an immutable column with the first line of its version time. Only keys that several rows bring are
  ranked: few as a rule, so that ranking them costs little.
-#}
{% macro ranked_versions(key, first_wins, immutable) -%}
    select
        candidates.ingest_seq,
        row_number() over (
            partition by {{ columns_of('candidates', key) }}
            order by candidates.version_ts desc, candidates.ingest_seq {{ 'asc' if first_wins else 'desc' }}
        ) as version_rank
        {%- if immutable %},
        (
            {%- for column in immutable %}
            candidates.{{ column }} is distinct from (
                first_value(candidates.{{ column }}) over (
                    partition by {{ columns_of('candidates', key) }}, candidates.version_ts
                    order by candidates.ingest_seq
                )
            ){{ ' or' if not loop.last }}
            {%- endfor %}
        ) as contradicts_first
        {%- endif %}
    from candidates
    inner join (
        select {{ key | join(', ') }} from candidates
        where reason is null
        group by {{ key | join(', ') }}
        having count(*) > 1
    ) as repeated_keys on {{ same_key(key, 'candidates', 'repeated_keys') }}
    where candidates.reason is null
{%- endmacro %}

{#- Query: the Silver rows whose key was touched by a replay and has no valid row left, as rows to be deleted. -#}
{% macro keys_without_a_version(target, key, content) -%}
    select
        {{ columns_of('stored', key) }},
        {%- for column in content %}
        cast(null as {{ engine_type(graph_column_type(target.identifier, column)) }}) as {{ column }},
        {%- endfor %}
        stored.version_ts,
        cast(null as string) as reason,
        cast(null as string) as batch_id,
        cast(null as bigint) as line_number,
        cast(null as bigint) as ingest_seq,
        false as is_pending,
        'delete' as action,
        true as is_content_change,
        stored.version_ts as old_version_ts,
        {{ columns_of('stored', content) }}
    from stored
    inner join touched_keys on {{ same_key(key, 'stored', 'touched_keys') }}
    left join (
        select distinct {{ key | join(', ') }} from chosen
        where reason is null and {{ key[0] }} is not null
    ) as survivors on {{ same_key(key, 'stored', 'survivors') }}
    where survivors.{{ key[0] }} is null
{%- endmacro %}

{#- Type of a column in the contract of a model. -#}
{% macro graph_column_type(model_name, column) -%}
    {{ return(graph.nodes['model.plura.' ~ model_name].columns[column].data_type) }}
{%- endmacro %}
