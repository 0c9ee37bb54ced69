{#- State of the four pipelines in gold.pipeline_state. -#}

{% macro pipeline_names() -%}
    {{ return({
        'pipeline_a': 'int_guardrail_completed_days',
        'pipeline_silver': 'int_silver_completed_run',
        'pipeline_b': 'int_controls_completed_days',
        'pipeline_c': 'int_analytics_completed_days',
    }) }}
{%- endmacro %}

{#- The first nodes of each pipeline, which take in what there is to do: its input, and what is due by it. -#}
{% macro first_nodes() -%}
    {{ return({
        'pipeline_a': ['int_guardrail_input'],
        'pipeline_silver': ['int_silver_input'],
        'pipeline_b': ['int_controls_input', 'int_controls_days'],
        'pipeline_c': ['int_analytics_input', 'int_analytics_days'],
    }) }}
{%- endmacro %}

{#-
  Stops a run that has a first and the last node of a pipeline but not all between them: the last one would record as
  done what was left out, and no later run would make up for it. A run without the first node goes on with another one
  (`dbt retry`, or a job of several steps).
-#}
{% macro refuse_gaps() -%}
    {%- if execute and flags.WHICH in ('run', 'build') -%}
        {%- set parents, children = {}, {} -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' -%}
            {%- do parents.update({node.unique_id: node.depends_on.nodes}) -%}
            {%- for parent in node.depends_on.nodes -%}
                {%- do children.setdefault(parent, []).append(node.unique_id) -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- for pipeline, completion in pipeline_names().items() if 'model.plura.' ~ completion in selected_resources -%}
            {%- set awaited = reached_from('model.plura.' ~ completion, parents) -%}
            {%- for name in first_nodes()[pipeline] if 'model.plura.' ~ name in selected_resources -%}
                {%- set missing = [] -%}
                {%- for unique_id in reached_from('model.plura.' ~ name, children)
                        if unique_id in awaited and unique_id not in selected_resources
                        and graph.nodes[unique_id].config.materialized != 'ephemeral' -%}
                    {%- do missing.append(graph.nodes[unique_id].name) -%}
                {%- endfor -%}
                {%- if missing -%}
                    {%- do exceptions.raise_compiler_error(
                        pipeline ~ ' cannot run without ' ~ missing | sort | join(', ') ~ ': ' ~ completion
                        ~ ' would record as done what they leave out. Select all of the pipeline (--selector ' ~ pipeline
                        ~ '), or leave out ' ~ completion ~ ' as well.'
                    ) -%}
                {%- endif -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#- Ids of the nodes that are reached from a node along edges ({id: ids}), its own among them. -#}
{% macro reached_from(unique_id, edges) -%}
    {%- set reached = [unique_id] -%}
    {#- the list grows while it is walked -#}
    {%- for node in reached -%}
        {%- for next_node in edges.get(node, []) if next_node not in reached -%}
            {%- do reached.append(next_node) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(reached) }}
{%- endmacro %}

{#-
  Marks every pipeline that this run is about to run as failed, keeping its watermark; the pipeline's last node turns
  the mark into success. So whatever ends a run early (an error, a lost connection, a kill) is recorded as a failure.
-#}
{% macro begin_pipelines() -%}
    {%- if execute and flags.WHICH in ('run', 'build') -%}
        {%- set state = load_relation(api.Relation.create(database=target.database or none, schema='gold', identifier='pipeline_state')) -%}
        {%- set begun = [] -%}
        {%- for pipeline, completion in pipeline_names().items() if ('model.plura.' ~ completion) in selected_resources -%}
            {%- do begun.append("select '" ~ pipeline ~ "' as pipeline_name") -%}
        {%- endfor -%}
        {%- if begun -%}
            {%- do run_query(
                "merge into " ~ state ~ " as t using (" ~ begun | join(' union all ') ~ ") as s on t.pipeline_name = s.pipeline_name"
                ~ " when matched then update set status = 'failure', last_run_id = " ~ run_id() ~ ", updated_at = " ~ as_of()
                ~ " when not matched then insert (pipeline_name, status, last_run_id, updated_at)"
                ~ " values (s.pipeline_name, 'failure', " ~ run_id() ~ ", " ~ as_of() ~ ")"
            ) -%}
        {%- endif -%}
        {%- do adapter.commit_if_has_connection() if adapter.commit_if_has_connection is defined -%}
    {%- endif -%}
{%- endmacro %}

{#-
  Stops the last node of a pipeline unless it depends on every table of the pipeline that readers use. Otherwise such a
  table would lack, for ever, the days of a run in which only it failed. dbt finds the parents of a model in its text,
  so they are named there, and checked here.
-#}
{% macro assert_completion_awaits_all(pipeline) -%}
    {%- if execute and flags.WHICH in ('run', 'build') -%}
        {%- set parents = {} -%}
        {%- for node in graph.nodes.values() -%}
            {%- do parents.update({node.unique_id: node.depends_on.nodes}) -%}
        {%- endfor -%}
        {%- set awaited = reached_from(model.unique_id, parents) -%}
        {%- set missing = [] -%}
        {%- for node in graph.nodes.values()
                if node.resource_type == 'model' and pipeline in node.tags
                and (node.config.contract.enforced or node.config.materialized == 'incremental')
                and node.unique_id not in awaited -%}
            {%- do missing.append(node.name) -%}
        {%- endfor -%}
        {%- if missing -%}
            {%- do exceptions.raise_compiler_error(
                model.name ~ ' does not await ' ~ missing | sort | join(', ') ~ ': name every table of ' ~ pipeline ~ ' in it (docs/add-a-mart.md).'
            ) -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#-
  Post-hook of the last node of a pipeline: its run succeeded. The watermark never moves back. `values`: further
  columns and their values.
-#}
{% macro record_success(pipeline, days=none, values={}, processed_end=none) -%}
    {{- assert_write_is_declared('pipeline_state') -}}
    {%- set state = ref('pipeline_state') -%}
    {%- set processed_end = processed_end or as_of() -%}
    {%- if days -%}
        {%- set processed_end = "(select max(day_end) from " ~ ref(days) ~ ")" -%}
        {#- where no day was due, the next run looks at the same changes again -#}
        {%- do values.update({
            'consumed_change_seq': "coalesce((select max(to_seq) from " ~ ref(days) ~ "), (select consumed_change_seq from "
            ~ state ~ " where pipeline_name = '" ~ pipeline ~ "'))",
        }) -%}
    {%- endif -%}
    merge into {{ state }} as t
    using (
        select
            '{{ pipeline }}' as pipeline_name,
            {%- for column, value in values.items() %}
            {{ value }} as {{ column }},
            {%- endfor %}
            {{ processed_end }} as processed_end
    ) as s
    on t.pipeline_name = s.pipeline_name
    when matched then update set
        status = 'success',
        last_success_ts = {{ as_of() }},
        last_processed_end = case
            when t.last_processed_end is null or t.last_processed_end < s.processed_end then s.processed_end
            else t.last_processed_end
        end,
        last_run_id = {{ run_id() }},
        {%- for column in values %}
        {{ column }} = s.{{ column }},
        {%- endfor %}
        updated_at = {{ as_of() }}
{%- endmacro %}

{#- The same for the guardrail: only a run that watches moves the watermark of the tiles. -#}
{% macro record_guardrail_success() -%}
    {%- set input = ref('int_guardrail_input') -%}
    {{ record_success(
        'pipeline_a',
        values={
            'consumed_ingest_seq': '(select to_seq from ' ~ input ~ ')',
            'consumed_status_seq': '(select to_status_seq from ' ~ input ~ ')',
            'first_source_ts': '(select first_source_ts from ' ~ input ~ ')',
            'last_source_day': '(select last_source_day from ' ~ input ~ ')',
            'dq_zero_window_counts': zero_window_counts(),
        },
        processed_end='(select ' ~ from_epoch_us('(last_tile + 1) * tile_us') ~ ' from ' ~ input ~ ')' if is_watching()
            else 'cast(null as timestamp)',
    ) }}
{%- endmacro %}

{#- JSON object of source to elapsed empty windows in its latest window. -#}
{% macro zero_window_counts() -%}
    (
        select concat('{', {{ concat_sorted("concat('\"', source_table, '\": ', cast(zero_windows as string))") }} , '}')
        from (
            select source_table, max_by(zero_windows, concat(cast(window_end_ts as string), cast(window_start_ts as string), cast(evaluation as string))) as zero_windows
            from {{ ref('dq_status') }}
            group by source_table
        ) as newest
    )
{%- endmacro %}

{#- Rows of gold.pipeline_day for the days a run of B or C computed. -#}
{% macro computed_days(pipeline, days) -%}
    select
        '{{ pipeline }}' as pipeline_name,
        days.date_kst,
        'success' as status,
        {{ run_id() }} as run_id,
        days.to_seq as change_seq,
        {{ as_of() }} as updated_at,
        days.inputs_digest,
        days.is_named
    from {{ ref(days) }} as days
{%- endmacro %}

{#-
  Hard gate: stops the model that calls it (which names int_silver_completed_run as a dependency) unless the last run of pipeline_silver succeeded and its watermark reaches
  the end of the days asked for, and refuses days that are still open. Raises UpstreamReadinessError.
-#}
{% macro assert_pipeline_ready(pipeline) -%}
    {%- if execute and flags.WHICH in ('run', 'build') -%}
        {%- set needed = kst_day_end(named_to()) if days_are_named() else none -%}
        {%- set row = run_query(
            "select status, last_success_ts, last_processed_end"
            ~ (", last_processed_end >= " ~ needed ~ ", " ~ needed ~ " > " ~ as_of() if needed else ", true, false")
            ~ " from " ~ ref('pipeline_state') ~ " where pipeline_name = 'pipeline_silver'"
        ).rows -%}
        {%- set stop = namespace(why='') -%}
        {%- if needed and run_query("select " ~ needed ~ " > " ~ as_of()).columns[0].values()[0] -%}
            {%- set stop.why = 'the KST day ' ~ (var('date_to', '') or var('date_from')) ~ ' is still open' -%}
        {%- elif row | length == 0 or row[0][1] is none or row[0][2] is none -%}
            {%- set stop.why = 'pipeline_silver has never succeeded' -%}
        {%- elif row[0][0] != 'success' -%}
            {%- set stop.why = 'the last run of pipeline_silver failed' -%}
        {%- elif not row[0][3] -%}
            {%- set stop.why = 'pipeline_silver has processed arrivals up to ' ~ row[0][2] ~ ' UTC only, before the end of the days asked for' -%}
        {%- endif -%}
        {%- if stop.why -%}
            {%- do exceptions.raise_compiler_error('UpstreamReadinessError: ' ~ pipeline ~ ' cannot run: ' ~ stop.why ~ '.') -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
