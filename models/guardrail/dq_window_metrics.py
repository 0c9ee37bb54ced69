from python_jobs.guardrail import window_metrics


def model(dbt, session):
    """Counts per source and window: a thin edge, the arithmetic is python_jobs.guardrail.window_metrics."""
    dbt.config(materialized="table")
    return window_metrics(rows=dbt.ref("guardrail_rows"), windows=dbt.ref("dq_windows"))
