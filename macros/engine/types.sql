{#-
  Column types are written once, as Spark SQL types, in the contracts.
  engine_type(type): the same type in the words of the engine. Guarantee: timestamps hold UTC instants.
-#}
{% macro engine_type(data_type) -%}
    {{ return(adapter.dispatch('engine_type', 'plura')(data_type)) }}
{%- endmacro %}

{% macro default__engine_type(data_type) -%}
    {{ return(data_type) }}
{%- endmacro %}

{% macro duckdb__engine_type(data_type) -%}
    {%- set t = data_type | lower | replace(' ', '') -%}
    {%- if t.startswith('map<') -%}
        {%- set inner = t[4:-1].split(',') -%}
        {{ return('map(' ~ engine_type(inner[0]) ~ ', ' ~ engine_type(inner[1]) ~ ')') }}
    {%- elif t.startswith('array<') -%}
        {{ return(engine_type(t[6:-1]) ~ '[]') }}
    {%- elif t == 'string' -%}
        {{ return('varchar') }}
    {%- else -%}
        {{ return(data_type) }}
    {%- endif -%}
{%- endmacro %}

{#- A typed empty row set for dbt's contract check, in the engine's type names. -#}
{% macro duckdb__get_empty_schema_sql(columns) -%}
    select
    {%- for column in columns.values() %}
        cast(null as {{ engine_type(column['data_type']) }}) as {{ column['name'] }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- Columns, not-null constraints and, where the engine takes them, descriptions of a contract as DDL. -#}
{% macro column_ddl(columns) -%}
    (
    {%- for column in columns.values() %}
        {{ column['name'] }} {{ engine_type(column['data_type']) }}
        {%- if column.get('constraints', []) | selectattr('type', 'equalto', 'not_null') | list | length > 0 %} not null{% endif -%}
        {{ comment_ddl(column['description']) }}
        {{- ',' if not loop.last }}
    {%- endfor %}
    )
{%- endmacro %}

{% macro duckdb__get_table_columns_and_constraints() -%}
    {{ column_ddl(model['columns']) }}
{%- endmacro %}

{#- Money and rates. -#}
{% macro money() -%} decimal(38,2) {%- endmacro %}
{% macro rate() -%} decimal(38,6) {%- endmacro %}

{#- A map or list written as JSON text, as the engine's own type; empty text is NULL. -#}
{% macro parse_json(text, data_type) -%}
    {{ adapter.dispatch('parse_json', 'plura')(text, data_type) }}
{%- endmacro %}

{% macro default__parse_json(text, data_type) -%}
    from_json(nullif({{ text }}, ''), '{{ data_type }}')
{%- endmacro %}

{% macro duckdb__parse_json(text, data_type) -%}
    cast(cast(nullif({{ text }}, '') as json) as {{ engine_type(data_type) }})
{%- endmacro %}

{#-
  What follows the columns when a table is created, by the config of its model: how rows are laid out, and what the
  table is. `partition_by` and `liquid_clustered_by` are lists of columns.
-#}
{% macro table_format(description='', config={}) -%}
    {{ return(adapter.dispatch('table_format', 'plura')(description, config)) }}
{%- endmacro %}
{% macro default__table_format(description, config) -%}
    {%- set layout = namespace(sql='') -%}
    {%- if config.get('partition_by') -%}
        {%- set layout.sql = ' partitioned by (' ~ config['partition_by'] | join(', ') ~ ')' -%}
    {%- elif config.get('liquid_clustered_by') -%}
        {%- set layout.sql = ' cluster by (' ~ config['liquid_clustered_by'] | join(', ') ~ ')' -%}
    {%- endif -%}
    {{ return(' using delta' ~ layout.sql ~ comment_ddl(description)) }}
{%- endmacro %}
{% macro duckdb__table_format(description, config) -%} {{ return('') }} {%- endmacro %}

{#- A description as a clause of DDL. -#}
{% macro comment_ddl(description) -%} {{ return(adapter.dispatch('comment_ddl', 'plura')(description)) }} {%- endmacro %}
{% macro default__comment_ddl(description) -%}
    {{ return(' comment ' ~ text_literal(description | trim) if description else '') }}
{%- endmacro %}
{% macro duckdb__comment_ddl(description) -%} {{ return('') }} {%- endmacro %}
