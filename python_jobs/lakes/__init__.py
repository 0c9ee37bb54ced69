"""The lake on each of its engines: one protocol (``lake``), DuckDB, Delta Lake on Spark, Databricks, and a twin."""
