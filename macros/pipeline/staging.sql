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
  How far the registry of batches goes. On Delta Lake a batch has its number before it has its rows: nothing after the
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

{#- Metrics of the rules by which lines are checked one by one, as SQL literals. -#}
{% macro row_rule_metrics() -%}
    'entry_type_allowed', 'payment_status_allowed', 'earliest_instant', 'currency_allowed', 'overdraft_allowed'
{%- endmacro %}

{#-
  Joins `rules` (gold.int_row_rules), by which the lines of a Bronze table are checked, to rows of a KST day. Rows without a
  day are checked by the rules of the run's instant. There are no rules for days before the calendar of rules.
-#}
{% macro join_row_rules(table, day) -%}
    left join {{ ref('int_row_rules') }} as rules
        on rules.bronze_table = 'bronze.{{ table }}'
        and {{ valid_on('rules', 'coalesce(' ~ day ~ ', ' ~ kst_date(as_of()) ~ ')') }}
{%- endmacro %}

{#- True when the rule restricts the value and does not allow it. -#}
{% macro not_allowed(value, allowed='rules.allowed_values') -%}
    not coalesce({{ list_has(allowed, value) }}, true)
{%- endmacro %}

{#- Columns that the checks at the end of each view need. -#}
{% macro checked_columns() -%}
        raw.unreadable_columns,
        raw.implausible_columns,
        raw.source_extracted_at,
        raw.updated_at,
{%- endmacro %}

{#- Condition: the line has a value for the key that does not fit its column. -#}
{% macro is_unreadable(key) -%} {{ is_named('typed.unreadable_columns', key) }} {%- endmacro %}

{% macro is_named(names, key) -%} contains(concat(',', {{ names }}, ','), ',{{ key }},') {%- endmacro %}

{#-
  Reason for a row without a value that it needs: `reason` where the line has none, invalid_<key> where it has one that
  does not fit, implausible_time where it has an instant that no engine keeps. `named`: reason for each key, where it is
  not invalid_<key>.
-#}
{% macro absent(reason, keys, named={}) -%}
    case
        {%- for key in keys %}
        when {{ is_unreadable(key) }} then '{{ named.get(key, 'invalid_' ~ key) }}'
        {%- endfor %}
        {%- for key in keys %}
        when {{ is_named('typed.implausible_columns', key) }} then 'implausible_time'
        {%- endfor %}
        else '{{ reason }}'
    end
{%- endmacro %}

{#- An instant of a line, NULL where it is before what the rules accept or more than a day after the line arrived. -#}
{% macro plausible(instant) -%}
    case when {{ instant }} >= rules.earliest_instant and {{ instant }} <= typed.ingested_at + interval 1 day then {{ instant }} end
{%- endmacro %}

{#-
  The last checks of every view, as branches of the CASE that names the reason: values that do not fit, whatever their
  column is used for, and implausible instants.
-#}
{% macro reasons_of_any_column(instants) -%}
            when typed.unreadable_columns is not null then concat('invalid_', split_part(typed.unreadable_columns, ',', 1))
            when typed.implausible_columns is not null or rules.bronze_table is null then 'implausible_time'
            {%- for instant in instants %}
            when {{ instant }} < rules.earliest_instant or {{ instant }} > typed.ingested_at + interval 1 day then 'implausible_time'
            {%- endfor %}
{%- endmacro %}

{#- The check of the currency, where the line names one. -#}
{% macro reason_of_currency() -%}
            when typed.currency is not null and {{ not_allowed('upper(typed.currency)', 'rules.currencies') }} then 'unsupported_currency'
{%- endmacro %}
