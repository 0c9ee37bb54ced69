{{ config(incremental_strategy='append', tags=['shared']) }}

{{ declared_table() }}
