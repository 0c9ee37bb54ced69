"""What the services tell those who run them: metrics in Prometheus' text format and JSON logs with a correlation id."""
