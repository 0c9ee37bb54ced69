{{ config(incremental_strategy='append') }}

{{ declared_table() }}
