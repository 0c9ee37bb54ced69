{#-
  Numbers the rows of a statement: distinct whole numbers from 1 on, in no particular order and possibly with gaps.
  No engine has to sort for it.
-#}
{% macro row_sequence() -%} {{ adapter.dispatch('row_sequence', 'plura')() }} {%- endmacro %}
{% macro default__row_sequence() -%} (monotonically_increasing_id() + 1) {%- endmacro %}
{% macro duckdb__row_sequence() -%} row_number() over () {%- endmacro %}
