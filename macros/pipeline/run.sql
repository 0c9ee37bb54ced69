{#- What one run is about: its id, its instant and the days asked for. Models take them from here only. -#}

{% macro run_id() -%} '{{ var("run_id", "") or invocation_id }}' {%- endmacro %}

{#- The run's instant as a UTC timestamp literal. -#}
{% macro as_of() -%}
    {%- set given = var('as_of', '') -%}
    {%- set at = modules.datetime.datetime.fromisoformat(given) if given else run_started_at -%}
    {%- if at.tzinfo -%}{%- set at = at.astimezone(modules.pytz.utc).replace(tzinfo=none) -%}{%- endif -%}
    timestamp '{{ at.strftime("%Y-%m-%d %H:%M:%S.%f") }}'
{%- endmacro %}

{#- Whether the run names its days; then only those, and days that are due again, are computed. -#}
{% macro days_are_named() -%} {{ return(var('date_from', '') | string | length > 0) }} {%- endmacro %}

{% macro named_from() -%} date '{{ var("date_from") }}' {%- endmacro %}
{% macro named_to() -%} date '{{ var("date_to", "") or var("date_from") }}' {%- endmacro %}

{#-
  Whether the run watches the running day: a schedule says so (var watch). Named days are never watched. The value may
  be text, as in `--vars 'watch: "false"'`.
-#}
{% macro is_watching() -%}
    {{ return(var('watch', false) | string | lower == 'true' and not days_are_named()) }}
{%- endmacro %}

{#- Whether statements are executed now; a project that is compiled only must not need a warehouse. -#}
{% macro warehouse_is_read() -%}
    {{ return(execute and flags.WHICH in ('run', 'build', 'test', 'seed', 'snapshot')) }}
{%- endmacro %}

{#- One value of a relation, read when the model runs; `default` while compiling without a warehouse. -#}
{% macro read_value(sql, default) -%}
    {%- if warehouse_is_read() -%}
        {%- set value = run_query(sql).columns[0].values()[0] -%}
        {{ return(default if value is none else value) }}
    {%- else -%}
        {{ return(default) }}
    {%- endif -%}
{%- endmacro %}

{#- The one row of a relation as mapping, read when the model runs; `default` while compiling without a warehouse. -#}
{% macro read_row(sql, default) -%}
    {%- if warehouse_is_read() -%}
        {{ return(run_query(sql).rows[0].dict()) }}
    {%- else -%}
        {{ return(default) }}
    {%- endif -%}
{%- endmacro %}

{#-
  A table as earlier runs left it, by name: a ref would close a circle, because the table is written further down. The
  model declares it in meta.reads; the lineage is drawn from there.
-#}
{% macro stored_table(name) -%}
    {%- if execute -%}
        {%- if name not in config.get('meta', {}).get('reads', []) -%}
            {%- do exceptions.raise_compiler_error(model.name ~ ' reads ' ~ name ~ ' by name: declare it in meta.reads') -%}
        {%- endif -%}
        {{ return(relation_of(graph.nodes['model.plura.' ~ name])) }}
    {%- endif -%}
{%- endmacro %}

{#- The table of a model, without a dependency on it. -#}
{% macro relation_of(node) -%}
    {{ return(api.Relation.create(database=node.database or none, schema=node.schema, identifier=node.alias, type='table')) }}
{%- endmacro %}

{#- Stops a hook that writes a table which its model does not declare in meta.writes. -#}
{% macro assert_write_is_declared(name) -%}
    {%- if execute and name not in config.get('meta', {}).get('writes', []) -%}
        {%- do exceptions.raise_compiler_error(model.name ~ ' writes ' ~ name ~ ': declare it in meta.writes') -%}
    {%- endif -%}
{%- endmacro %}
