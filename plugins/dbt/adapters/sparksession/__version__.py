"""Version of the adapter, asked for by ``dbt --version``."""

version = "1.10.3"
