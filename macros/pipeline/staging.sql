{#- Pieces that the six views over Bronze share. -#}

{#- Columns every view ends with: where the row came from and whether its batch was withdrawn. -#}
{% macro arrival_columns() -%}
        raw.raw_json,
        raw.batch_id,
        raw.line_number,
        raw.ingest_seq,
        raw.ingested_at,
        {{ is_withdrawn() }} as is_withdrawn
{%- endmacro %}

{#-
  Whether the batch of a row of Bronze (`raw`) does not count: it is withdrawn or, on Delta Lake, not loaded whole yet or
  given up by its load.
-#}
{% macro is_withdrawn() -%}
        raw.batch_id in (
            select registry.batch_id from {{ source('bronze', 'load_registry') }} as registry
            where registry.status <> 'loaded'
        )
{%- endmacro %}

{#-
  How far the registry of batches goes. On Delta Lake a batch has its number before it has its rows: nothing behind the
  first batch that is still being loaded is taken in, so that none is passed over.
-#}
{% macro arrived() -%}
    select
        coalesce(min(case when status = 'loading' then batch_seq end) - 1, max(batch_seq), 0) * 4294967296 + 4294967295 as to_seq,
        coalesce(max(status_seq), 0) as to_status_seq
    from {{ source('bronze', 'load_registry') }}
{%- endmacro %}

{#- The lines of a table that are no JSON object, with the columns of its typed rows (name → type) as NULL. -#}
{% macro malformed_rows(table, columns) -%}
    select
    {%- for name, data_type in columns.items() %}
        cast(null as {{ engine_type(data_type) }}) as {{ name }},
    {%- endfor %}
        coalesce(raw.source_extracted_at, raw.ingested_at) as row_time,
        'malformed_line' as reason,
        raw.raw_line as raw_json,
        raw.batch_id,
        raw.line_number,
        raw.ingest_seq,
        raw.ingested_at,
        {{ is_withdrawn() }} as is_withdrawn
    from {{ source('bronze', 'malformed_lines') }} as raw
    where raw.table_name = '{{ table }}'
{%- endmacro %}

{#-
  Joins `rule` to rows of a day: the version of domain/metric for this Bronze table, else the one for all. Rows
  without a day are judged by the rules of the run's instant.
-#}
{% macro join_row_rule(alias, domain, metric, table, day) -%}
    left join (
        select * from {{ ref('rule_days') }} where domain = '{{ domain }}' and metric = '{{ metric }}' and scope = 'bronze.{{ table }}'
    ) as {{ alias }}_scoped
        on {{ valid_on(alias ~ '_scoped', 'coalesce(' ~ day ~ ', ' ~ kst_date(as_of()) ~ ')') }}
    left join (
        select * from {{ ref('rule_days') }} where domain = '{{ domain }}' and metric = '{{ metric }}' and scope is null
    ) as {{ alias }}_general
        on {{ valid_on(alias ~ '_general', 'coalesce(' ~ day ~ ', ' ~ kst_date(as_of()) ~ ')') }}
{%- endmacro %}

{% macro row_rule(alias, column) -%}
    case when {{ alias }}_scoped.rule_id is not null then {{ alias }}_scoped.{{ column }} else {{ alias }}_general.{{ column }} end
{%- endmacro %}

{#- True when the rule restricts the value and does not allow it. -#}
{% macro not_allowed(alias, value) -%}
    not coalesce({{ list_has(row_rule(alias, 'allowed_values'), value) }}, true)
{%- endmacro %}

{#- True when the line has a value for the key that did not fit the column's type. -#}
{% macro unreadable(column) -%}
    (raw.{{ column }} is null and {{ json_value('raw.raw_json', column) }} is not null)
{%- endmacro %}
