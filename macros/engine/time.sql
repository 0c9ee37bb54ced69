{#- Time. Instants are UTC timestamps; a business day is [00:00, 24:00) Asia/Seoul, which has no daylight saving. -#}

{#- KST day of an instant. NULL stays NULL. -#}
{% macro kst_date(ts) -%} cast(({{ ts }} + interval 9 hour) as date) {%- endmacro %}

{#- Instant at which a KST day begins. -#}
{% macro kst_day_start(day) -%} (cast({{ day }} as timestamp) - interval 9 hour) {%- endmacro %}

{#- Instant at which a KST day ends, that is, at which the next one begins. -#}
{% macro kst_day_end(day) -%} (cast({{ day }} as timestamp) + interval 15 hour) {%- endmacro %}

{#- KST day that a balance snapshot closes: the one whose end is nearest. -#}
{% macro day_closed_by(ts) -%} {{ kst_date('(' ~ ts ~ ' - interval 12 hour)') }} {%- endmacro %}

{#- Microseconds since 1970-01-01T00:00Z as bigint. -#}
{% macro epoch_us(ts) -%} {{ adapter.dispatch('epoch_us', 'plura')(ts) }} {%- endmacro %}
{% macro default__epoch_us(ts) -%} unix_micros({{ ts }}) {%- endmacro %}
{% macro duckdb__epoch_us(ts) -%} epoch_us({{ ts }}) {%- endmacro %}

{#- The instant `us` microseconds after 1970-01-01T00:00Z. -#}
{% macro from_epoch_us(us) -%} {{ adapter.dispatch('from_epoch_us', 'plura')(us) }} {%- endmacro %}
{% macro default__from_epoch_us(us) -%} timestamp_micros({{ us }}) {%- endmacro %}
{% macro duckdb__from_epoch_us(us) -%} make_timestamp(cast({{ us }} as bigint)) {%- endmacro %}

{#- Number of a day (date): days since 1970-01-01. The end of day n is the start of day n + 1. -#}
{% macro day_number(day) -%} {{ adapter.dispatch('day_number', 'plura')(day) }} {%- endmacro %}
{% macro default__day_number(day) -%} datediff({{ day }}, date '1970-01-01') {%- endmacro %}
{% macro duckdb__day_number(day) -%} cast(({{ day }} - date '1970-01-01') as integer) {%- endmacro %}

{% macro from_day_number(n) -%} {{ adapter.dispatch('from_day_number', 'plura')(n) }} {%- endmacro %}
{% macro default__from_day_number(n) -%} date_add(date '1970-01-01', cast({{ n }} as int)) {%- endmacro %}
{% macro duckdb__from_day_number(n) -%} (date '1970-01-01' + cast({{ n }} as integer)) {%- endmacro %}

{#- Whole numbers from low to high, both included, one row each; no row when low > high. -#}
{% macro explode_range(low, high) -%} {{ adapter.dispatch('explode_range', 'plura')(low, high) }} {%- endmacro %}
{% macro default__explode_range(low, high) -%}
    explode(case when {{ low }} <= {{ high }} then sequence({{ low }}, {{ high }}) else array() end)
{%- endmacro %}
{% macro duckdb__explode_range(low, high) -%} unnest(range({{ low }}, {{ high }} + 1)) {%- endmacro %}

{#-
  The instant of an ISO 8601 text as UTC timestamp: with an offset (Z, +09:00, +0900, +09) that instant, without one UTC.
  For texts that are known to be instants; NULL stays NULL.
-#}
{% macro utc_instant(text) -%} {{ adapter.dispatch('utc_instant', 'plura')(text) }} {%- endmacro %}
{% macro default__utc_instant(text) -%} cast({{ text }} as timestamp) {%- endmacro %}
{#- A timestamp of DuckDB has no offset, and the cast drops it silently. -#}
{% macro duckdb__utc_instant(text) -%} cast(cast({{ text }} as timestamptz) as timestamp) {%- endmacro %}
