"""Observability: metrics in Prometheus' text format, and JSON logs with a correlation id."""
