"""What dbt needs of Python on DuckDB before a run: dbt-duckdb loads this plugin for target ``duckdb``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbt.adapters.duckdb.plugins import BasePlugin

from python_jobs.salt import salt_problem

if TYPE_CHECKING:
    import duckdb


class Plugin(BasePlugin):  # type: ignore[misc]
    """Registers a function that checks the salt: the salt itself is in no statement, so that none can show it."""

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Add ``plura_salt_problem``; see ``python_jobs.salt``."""
        conn.create_function("plura_salt_problem", salt_problem, ["varchar"], "varchar", side_effects=True)
