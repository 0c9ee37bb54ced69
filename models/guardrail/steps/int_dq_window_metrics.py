from python_jobs.guardrail import window_metrics


def model(dbt, session):
    """Counts per source and window: a thin edge, the arithmetic is python_jobs.guardrail.window_metrics."""
    return window_metrics(rows=dbt.ref("int_guarded_rows"), windows=dbt.ref("int_dq_windows"))
