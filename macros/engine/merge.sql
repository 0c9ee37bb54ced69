{#-
  Incremental strategy `merge_scoped`, used by every Silver and Gold table that is merged.

  Guarantee: after it, the target holds the model's rows by `unique_key` (NULL equals NULL); a row whose content did
  not change is not touched, so it keeps the run_id of the run that wrote it; rows of the target inside the scope that
  the model no longer yields are gone; rows outside the scope are untouched.

  Scope (model config meta.scope): {ref: relation, when: condition on its rows, on: [columns]}: the target rows whose
  `on` columns stand in that relation; `as` names the columns there where they differ. Without a scope nothing is
  deleted.

  Where no row can stand already (all_rows_are_new), the rows are inserted without looking at the target.
-#}
{% macro get_incremental_merge_scoped_sql(arg_dict) -%}
    {%- set scope = config.get('meta', {}).get('scope') -%}
    {%- if all_rows_are_new() -%}
        {{ insert_rows_sql(arg_dict['target_relation'], arg_dict['temp_relation']) }};
        drop view {{ arg_dict['temp_relation'] }}
    {%- else -%}
        {%- if scope -%}
        {{ delete_out_of_scope_sql(arg_dict['target_relation'], arg_dict['temp_relation'], arg_dict['unique_key'], scope) }};
        {%- endif -%}
        {{ merge_rows_sql(arg_dict['target_relation'], arg_dict['temp_relation'], arg_dict['unique_key'], model['columns']) }};
        drop table {{ arg_dict['temp_relation'] }}
    {%- endif -%}
{%- endmacro %}

{#-
  Whether no row of the target can have the key of a row of the model. Model config meta.existing says where such rows
  would show: {ref: relation (default: the target), when: condition on its rows}. Without it the rows of the model lie
  in the scope, and the scope holds nothing yet.
-#}
{% macro all_rows_are_new() -%}
    {%- set meta = config.get('meta', {}) -%}
    {%- if 'existing' in meta -%}
        {%- set where = meta['existing'] -%}
        {%- set found = (ref(where['ref']) if 'ref' in where else this) ~ ' where ' ~ where['when'] -%}
    {%- elif 'scope' in meta -%}
        {%- set found = this ~ ' as t where ' ~ in_scope('t', meta['scope']) -%}
    {%- else -%}
        {{ return(false) }}
    {%- endif -%}
    {{ return(run_query('select 1 from ' ~ found ~ ' limit 1').rows | length == 0) }}
{%- endmacro %}

{#- Condition: the row of the target lies in the scope. -#}
{% macro in_scope(target, scope) -%}
    {% if scope['on'] | length == 1 -%} {{ target }}.{{ scope['on'][0] }} in (
    {%- else -%} ({{ columns_of(target, scope['on']) }}) in ( {%- endif %}
        select {{ scope.get('as', scope['on']) | join(', ') }} from {{ ref(scope['ref']) }} where {{ scope['when'] }}
    )
{%- endmacro %}

{% macro insert_rows_sql(target, source) -%}
    {%- set names = model['columns'].keys() | join(', ') -%}
    insert into {{ target }} ({{ names }})
    select {{ names }} from {{ source }}
{%- endmacro %}

{#- Columns that say when and by which run a row was written: a difference in them alone is no change. -#}
{% macro clock_columns() -%}
    {{ return(['run_id', 'generated_at', 'updated_at', 'detected_at', 'detected_date_kst', 'changed_at']) }}
{%- endmacro %}

{% macro key_condition(unique_key, columns, left, right) -%}
    {%- for key in unique_key -%}
        {%- set required = columns[key].get('constraints', []) | selectattr('type', 'equalto', 'not_null') | list | length > 0 -%}
        {{ left }}.{{ key }} {{ '=' if required else 'is not distinct from' }} {{ right }}.{{ key }}
        {%- if not loop.last %} and {% endif -%}
    {%- endfor -%}
{%- endmacro %}

{% macro delete_out_of_scope_sql(target, source, unique_key, scope) -%}
    delete from {{ target }} as t
    where {{ in_scope('t', scope) }}
        and not exists (
            select 1 from {{ source }} as s where {{ key_condition(unique_key, model['columns'], 't', 's') }}
        )
{%- endmacro %}

{#- Merges rows by their key. `gone`: query of the rows of the target that are to be deleted by the same statement. -#}
{% macro merge_rows_sql(target, source, unique_key, columns, touch=false, gone=none) -%}
    {%- set names = columns.keys() | list -%}
    {%- set content = names | reject('in', clock_columns() + unique_key) | list -%}
    merge into {{ target }} as t
    using (
        select {{ names | join(', ') }}{{ ', false as is_gone' if gone }} from {{ source }}
        {%- if gone %}
        union all
        select *, true as is_gone from ({{ gone }}) as gone_rows
        {%- endif %}
    ) as s
    on {{ key_condition(unique_key, columns, 't', 's') }}
    {%- if gone %}
    when matched and s.is_gone then delete
    {%- endif %}
    {%- if touch %}
    when matched
        then update set {% for name in names | reject('in', unique_key) %}{{ name }} = s.{{ name }}{{ ', ' if not loop.last }}{% endfor %}
    {%- elif content %}
    when matched and ({% for name in content %}t.{{ name }} is distinct from s.{{ name }}{{ ' or ' if not loop.last }}{% endfor %})
        then update set {% for name in names | reject('in', unique_key) %}{{ name }} = s.{{ name }}{{ ', ' if not loop.last }}{% endfor %}
    {%- endif %}
    when not matched {{ 'and not s.is_gone ' if gone }}then insert ({{ names | join(', ') }}) values (s.{{ names | join(', s.') }})
{%- endmacro %}

{#-
  For post-hooks of models that feed a table with several writers (pipeline_state, pipeline_day, exception_ledger):
  merges this model's rows into that table by its contract. `touch`: a row that is written again names the run that did
  so, even where nothing else of it changed.
-#}
{% macro merge_this_into(model_name, unique_key, touch=false) -%}
    {%- set target = ref(model_name) -%}
    {{- assert_write_is_declared(model_name) -}}
    {%- if execute -%}
        {%- set node = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') | selectattr('name', 'equalto', model_name) | first -%}
        {{ merge_rows_sql(target, this, unique_key, node['columns'], touch) }}
    {%- endif -%}
{%- endmacro %}

{#-
  Incremental strategy `append_once`: rows whose `unique_key` (a deterministic row id) the target already holds are
  left out, so that a retry or a rerun never adds a row twice. meta.remembered names a relation with the ids of rows
  that retention removed; they do not come back.
-#}
{% macro get_incremental_append_once_sql(arg_dict) -%}
    {{ append_once_sql(arg_dict['target_relation'], arg_dict['temp_relation']) }}
{%- endmacro %}

{% macro append_once_sql(target, source) -%}
    {%- set names = model['columns'].keys() | join(', ') -%}
    {%- set key = config.get('unique_key')[0] -%}
    insert into {{ target }} ({{ names }})
    select {{ names }} from {{ source }} as s
    where not exists (select 1 from {{ target }} as t where t.{{ key }} = s.{{ key }})
{%- endmacro %}

{#-
  Incremental strategy `replace_partition`: replaces the whole partition (meta.scope, one column) of every day in
  scope whose rows differ from what the model yields; a day that did not change is not rewritten.
-#}
{% macro get_incremental_replace_partition_sql(arg_dict) -%}
    {%- set target, source = arg_dict['target_relation'], arg_dict['temp_relation'] -%}
    {%- if all_rows_are_new() -%}
        {{ insert_rows_sql(target, source) }};
        drop view {{ source }}
    {%- else -%}
        {%- set day = config.get('meta')['scope']['on'][0] -%}
        {%- set changed = source.identifier ~ '__changed' -%}
        create or replace temp table {{ changed }} as
        {{ differing_days_sql(target, source) }};
        delete from {{ target }} where {{ day }} in (select {{ day }} from {{ changed }});
        {{ insert_rows_sql(target, source) }}
        where {{ day }} in (select {{ day }} from {{ changed }});
        drop table {{ changed }};
        drop table {{ source }}
    {%- endif -%}
{%- endmacro %}

{#- Days in scope whose rows differ between the model and the table; days that are new are among them. -#}
{% macro differing_days_sql(target, source) -%}
    {%- set scope = config.get('meta')['scope'] -%}
    {%- set day = scope['on'][0] -%}
    {%- set content = model['columns'].keys() | reject('in', clock_columns()) | join(', ') -%}
    with new_rows as (select {{ content }} from {{ source }}),
    old_rows as (select {{ content }} from {{ target }} as t where {{ in_scope('t', scope) }}),
    old_days as (select distinct {{ day }} from old_rows),
    rewritten as (select * from new_rows where {{ day }} in (select {{ day }} from old_days)),
    differing as (
        (select * from rewritten except all select * from old_rows)
        union all
        (select * from old_rows except all select * from rewritten)
    )
    select {{ day }} from differing
    union
    select {{ day }} from new_rows where {{ day }} not in (select {{ day }} from old_days)
{%- endmacro %}

{#- Whether the incremental strategy of the model reads the model's rows once, so that a view over its query will do. -#}
{% macro rows_are_read_once() -%}
    {%- set strategy = config.get('incremental_strategy') -%}
    {{ return(
        strategy == 'append'
        or (strategy in ('merge_scoped', 'replace_partition') and all_rows_are_new())
    ) }}
{%- endmacro %}
