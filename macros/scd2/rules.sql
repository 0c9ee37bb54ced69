{#-
  Rules as of a business day. A KST day is checked by the versions that are valid at its start (00:00 KST), so that a
  day has exactly one version of each rule and a backfill reproduces history.
-#}

{#- Join condition: the version in `rule` (gold.int_rule_days) that is valid on `day`. -#}
{% macro valid_on(rule, day) -%}
    {{ rule }}.valid_from_day <= {{ day }} and {{ day }} < {{ rule }}.valid_to_day
{%- endmacro %}

{#-
  Query: the rows of a relation with the version of a rule that is valid on their day (`date_kst`): `rule_id`,
  `threshold`, `warn`, `crit`, `fail`, `allowed_values`, all NULL where there is none.

  metric: name of the rule; without it, it is the rows' column `metric`. scope: column of the rows that says for which
  table; a version for this table takes precedence over the version for all. Without it only the version for all counts.
-#}
{% macro rule_on_days(rows, domain, metric=none, scope=none) -%}
    {%- set metric = "'" ~ metric ~ "'" if metric else 'asked.metric' -%}
    {%- set columns = {
        'rule_id': '{rule}.rule_id',
        'threshold': '{rule}.threshold',
        'warn': limit('{rule}', 'warn'),
        'crit': limit('{rule}', 'crit'),
        'fail': limit('{rule}', 'fail'),
        'allowed_values': '{rule}.allowed_values',
    } -%}
    select
        asked.*,
        {%- for name, value in columns.items() %}
        {%- set general = value | replace('{rule}', 'general') %}
        {%- if scope %}
        case when scoped.rule_id is not null then {{ value | replace('{rule}', 'scoped') }} else {{ general }} end as {{ name }}{{ ',' if not loop.last }}
        {%- else %}
        {{ general }} as {{ name }}{{ ',' if not loop.last }}
        {%- endif %}
        {%- endfor %}
    from {{ rows }} as asked
    left join {{ ref('int_rule_days') }} as general
        on general.domain = '{{ domain }}' and general.metric = {{ metric }} and general.scope is null
        and {{ valid_on('general', 'asked.date_kst') }}
    {%- if scope %}
    left join {{ ref('int_rule_days') }} as scoped
        on scoped.domain = '{{ domain }}' and scoped.metric = {{ metric }} and scoped.scope = asked.{{ scope }}
        and {{ valid_on('scoped', 'asked.date_kst') }}
    {%- endif %}
{%- endmacro %}

{#-
  Limit of a severity (warn, crit, fail) by a rule, for every reader alike: severity_map names the limits; where it names
  none, the threshold is the limit of crit and of fail. NULL where the rule has no such limit.
-#}
{% macro limit(rule, severity) -%}
    {%- set map = rule ~ '.severity_map' -%}
    {%- if severity == 'warn' -%}
    {{ map_value(map, 'warn') }}
    {%- else -%}
    case
        when coalesce({{ map_value(map, 'warn') }}, {{ map_value(map, 'crit') }}, {{ map_value(map, 'fail') }}) is null then {{ rule }}.threshold
        else {{ map_value(map, severity) }}
    end
    {%- endif -%}
{%- endmacro %}

{#-
  Severity of a value by the limits of a rule (columns warn and crit): crit before warn; NULL when nothing is reached.
  `compare` is '>=' for data quality and '>' for controls.
-#}
{% macro severity(value, rule, compare) -%}
    case
        when {{ value }} {{ compare }} {{ rule }}.crit then 'CRITICAL'
        when {{ value }} {{ compare }} {{ rule }}.warn then 'WARN'
    end
{%- endmacro %}

{#-
  Patterns of all versions of the rule that links a payment order to its commerce order, as SQL literals: an engine
  prepares a pattern that is in the statement, and one that comes from a table again for every row.
-#}
{% macro link_patterns() -%}
    {%- set patterns = [] -%}
    {%- if execute and flags.WHICH in ('run', 'build') -%}
        {%- set rows = run_query(
            "select distinct " ~ list_first('allowed_values') ~ " from " ~ ref('int_rule_days')
            ~ " where domain = 'analytics' and metric = 'order_link_pattern' and scope is null order by 1"
        ).rows -%}
        {%- for row in rows if row[0] -%}
            {%- do patterns.append(text_literal(row[0])) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(patterns) }}
{%- endmacro %}
