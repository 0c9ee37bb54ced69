{{ config(tags=['pipeline_silver']) }}
-- The bad-rate gate: a Silver table whose share of bad rows among the pending ones passes its threshold stops the run.
-- The bad records are written; nothing of the batch is published; the rows stay pending.
select source_table, total_rows, bad_rows, bad_rate, threshold, min_rows, rule_id
from {{ ref('int_bad_rate_gate') }}
where is_breached
