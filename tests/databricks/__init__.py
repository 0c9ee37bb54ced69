"""A Databricks workspace on loopback, good enough for the real adapter, connector and SDK."""
