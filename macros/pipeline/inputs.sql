{#-
  Digests of what a computation read besides rows: rules, signs, tags. A pipeline computes a day again when the digest of
  the day is another one than it recorded (gold.pipeline_day.inputs_digest).
-#}

{#- SHA-256 over all texts of a group, whatever their order; NULLs are left out, and a group without texts has one too. -#}
{% macro digest_of(text) -%} {{ sha256_hex("coalesce(" ~ concat_sorted(text) ~ ", '')") }} {%- endmacro %}

{#- Query: the digest of each day of a relation. `inputs`: query of the inputs, one text each (date_kst, input). -#}
{% macro inputs_digest(days, inputs) -%}
    select days.date_kst, {{ digest_of('inputs.input') }} as inputs_digest
    from {{ days }} as days
    left join (
        {{ inputs }}
    ) as inputs on days.date_kst = inputs.date_kst
    group by days.date_kst
{%- endmacro %}

{#- Query: the versions of rules that are valid on each day of a relation, as inputs. `applies`: which rules (`rule`). -#}
{% macro rules_of_days(days, applies) -%}
    select d.date_kst, rule.rule_digest as input
    from {{ days }} as d
    inner join {{ ref('int_rule_days') }} as rule on {{ applies }} and {{ valid_on('rule', 'd.date_kst') }}
{%- endmacro %}

{#- Guardrail: the data quality rules of the day, and the rules by which its lines are checked. -#}
{% macro guardrail_inputs_digest(days) -%}
    {{ inputs_digest(days, rules_of_days(
        days, "(rule.domain = 'dq' or (rule.domain = 'silver' and rule.metric in (" ~ row_rule_metrics() ~ ")))"
    )) }}
{%- endmacro %}

{#- Controls: the rules of the day and the tolerance at its end, the signs of entry types, the tags of the day. -#}
{% macro controls_inputs_digest(days) -%}
    {%- set inputs -%}
        {{ rules_of_days(days, "rule.domain = 'ledger'") }}
        union all
        -- the tolerance of the next day applies to the boundary at the day's end
        select d.date_kst, concat('at the end: ', rule.rule_digest) as input
        from {{ days }} as d
        inner join {{ ref('int_rule_days') }} as rule
            on rule.domain = 'ledger' and rule.metric = 'snapshot_tolerance_hours'
            and {{ valid_on('rule', from_day_number(day_number('d.date_kst') ~ ' + 1')) }}
        union all
        select d.date_kst, concat(types.entry_type, ':', cast(types.sign as string), ':', cast(types.supply_sign as string), ':', coalesce(types.pair_with, '')) as input
        from {{ days }} as d
        cross join {{ ref('entry_types') }} as types
        union all
        select date_kst, concat(source_table, ':', dq_tag) as input
        from {{ ref('int_dq_day_tags') }}
        where dq_tag is not null and source_table in ('bronze.transaction_ledger_raw', 'bronze.user_wallets_raw')
    {%- endset -%}
    {{ inputs_digest(days, inputs) }}
{%- endmacro %}

{#- Analytics: the rule of the day that links orders. -#}
{% macro analytics_inputs_digest(days) -%}
    {{ inputs_digest(days, rules_of_days(days, "rule.domain = 'analytics'")) }}
{%- endmacro %}

{#- Silver, as one digest of all days: the rules by which lines are checked one by one, with their days. -#}
{% macro row_rules_digest() -%}
    select {{ digest_of("concat(rule_digest, cast(valid_from_day as string), cast(valid_to_day as string))") }} as rules_digest
    from {{ ref('int_rule_days') }}
    where domain = 'silver' and metric in ({{ row_rule_metrics() }})
{%- endmacro %}
