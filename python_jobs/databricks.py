"""Target ``databricks`` as a client reaches it: a SQL warehouse through databricks-sql-connector."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from python_jobs.profile import target_settings
from python_jobs.warehouse import LakeError

if TYPE_CHECKING:
    from databricks.sql.client import Connection

    from python_jobs.report import Rows


@dataclass(frozen=True)
class DatabricksReader:
    """Reads through a connection to a SQL warehouse."""

    connection: Connection
    catalog: str

    def rows(self, sql: str, **values: Any) -> Rows:
        """Run a query with named parameters, which the warehouse binds.

        Raises:
            LakeError: the warehouse refuses the query; the text is the first line of what it says.
        """
        from databricks.sql.exc import Error

        with self.connection.cursor() as cursor:
            try:
                cursor.execute(re.sub(r"\$([A-Za-z_]\w*)", r":\1", sql), values or None)
                return [row.asDict() for row in cursor.fetchall()]
            except Error as error:
                raise LakeError(f"Databricks failed: {str(error).splitlines()[0][:400]}") from error

    def has_table(self, schema: str, table: str) -> bool:
        """Whether the catalog has the table."""
        return bool(
            self.rows(
                f"select table_name from `{self.catalog}`.`information_schema`.`tables`"
                " where table_schema = $schema and table_name = $table",
                schema=schema,
                table=table,
            )
        )


@contextmanager
def open_warehouse(project_dir: Path) -> Iterator[DatabricksReader]:
    """Connect as target ``databricks`` of the dbt profile says, for the time of the block.

    Raises:
        LakeError: the packages are missing, a setting is, or the workspace cannot be reached.
    """
    try:
        from databricks import sql
        from databricks.sdk.errors.base import DatabricksError
        from databricks.sql.exc import Error
        from dbt.adapters.databricks.credentials import DatabricksCredentials
        from dbt.adapters.databricks.handle import SqlUtils
        from dbt_common.exceptions import DbtConfigError
    except ImportError as error:
        raise LakeError(
            f"target databricks needs dbt-databricks: {error}; install it with pip install -r requirements/spark.txt"
        ) from error
    target = target_settings(project_dir, "databricks")
    credentials = DatabricksCredentials.from_dict(DatabricksCredentials.translate_aliases(target))
    try:
        arguments = SqlUtils.prepare_connection_arguments(
            credentials, credentials.authenticate(), credentials.http_path, {}
        )
        # the adapter writes values into its statements; here the warehouse binds them
        connection = sql.connect(**arguments | {"use_inline_params": False})
    except (DbtConfigError, DatabricksError, Error, ValueError) as error:
        message = " ".join(str(error).split())[:400]
        raise LakeError(f"Databricks cannot be reached: {message} (docs/databricks.md names the variables)") from error
    try:
        yield DatabricksReader(connection, str(credentials.database))
    finally:
        connection.close()
