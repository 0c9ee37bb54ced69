{#-
  The scope of a run (model config meta.scope): which rows of the table the rows of the model stand for.
  {ref: relation, when: condition on its rows, on: [columns]}: the rows of the table whose `on` columns are in that
  relation; `as` names the columns there if their names differ.
-#}

{#- Condition: the row of the table lies in the scope. -#}
{% macro in_scope(target, scope) -%}
    {% if scope['on'] | length == 1 -%} {{ target }}.{{ scope['on'][0] }} in (
    {%- else -%} ({{ columns_of(target, scope['on']) }}) in ( {%- endif %}
        select {{ scope.get('as', scope['on']) | join(', ') }} from {{ ref(scope['ref']) }} where {{ scope['when'] }}
    )
{%- endmacro %}

{#-
  Query: the rows of the model; it fails at a row outside the scope, and names it. The scope is joined: a condition could
  be computed for rows that the model itself leaves out, because engines move conditions.
-#}
{% macro rows_in_scope(rows_relation, scope) -%}
    {%- set on, keys = scope['on'], scope.get('as', scope['on']) -%}
    {%- set message = ["'" ~ model.name ~ " returns a row outside its scope (" ~ scope['ref'] ~ " where "
        ~ scope['when'] | replace("'", "''") ~ "): " ~ on | join(', ') ~ " ='"] -%}
    {%- for column in on -%}
        {%- do message.append("coalesce(cast(s." ~ column ~ " as string), 'NULL')") -%}
    {%- endfor -%}
    select
    {%- for name, column in model['columns'].items() %}
        {% if name == on[0] -%}
        case when scope.is_in_scope then s.{{ name }} else {{ failure('concat(' ~ message | join(", ' ', ") ~ ')', column['data_type']) }} end as {{ name }}
        {%- else -%}
        s.{{ name }}
        {%- endif -%}
        {{ ',' if not loop.last }}
    {%- endfor %}
    from {{ rows_relation }} as s
    left join (
        select distinct {{ keys | join(', ') }}, true as is_in_scope from {{ ref(scope['ref']) }} where {{ scope['when'] }}
    ) as scope
        on {% for column in on %}s.{{ column }} = scope.{{ keys[loop.index0] }}{{ ' and ' if not loop.last }}{% endfor %}
{%- endmacro %}

{#-
  Whether no row of the table can have the key of a row of the model. Model config meta.existing says where such rows
  would show: {ref: relation (default: the table), when: condition on its rows}. Without it the rows of the model lie
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
