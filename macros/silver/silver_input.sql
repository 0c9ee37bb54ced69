{#-
  What this run reads (model int_silver_input), as values: conditions on literals let the engine skip the files and row
  groups of older Bronze rows.
-#}
{% macro silver_input() -%}
    {%- set row = read_row(
        'select from_seq, to_seq, from_status_seq, replays_all, replays from ' ~ ref('int_silver_input'),
        {'from_seq': 0, 'to_seq': 9223372036854775807, 'from_status_seq': 0, 'replays_all': false, 'replays': false}
    ) -%}
    {{ return({
        'from_seq': row.from_seq | int,
        'to_seq': row.to_seq | int,
        'from_status_seq': row.from_status_seq | int,
        'replays_all': row.replays_all,
        'replays': row.replays,
    }) }}
{%- endmacro %}

{#- Condition: the row belongs to a batch that was withdrawn or came back since the last successful run. -#}
{% macro batch_has_changed(rows, input, registry) -%}
    {{ rows }}.batch_id in (
        select batch_id from {{ registry }} where status_seq > {{ input.from_status_seq }}
    )
{%- endmacro %}
