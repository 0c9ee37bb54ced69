"""The Spark session of the lake, statements with values, and errors of Spark and Delta in one line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from python_jobs.profile import target_settings
from python_jobs.warehouse import LakeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyspark.sql import SparkSession

WAREHOUSE_VARIABLE = "PLURA_SPARK_WAREHOUSE"
"""Environment variable by which the profile learns where the tables and the catalog lie."""

Result = TypeVar("Result")


def open_session(project_dir: Path, *, warehouse: Path | None = None) -> SparkSession:
    """Return the running Spark session, else start one as target ``spark`` of the dbt profile says.

    Args:
        project_dir: the dbt project.
        warehouse: folder of the tables and the catalog; by default the one that the profile names.

    Raises:
        LakeError: Java is missing, the jars cannot be fetched, or the server cannot be reached.
    """
    from dbt.adapters.sparksession.session import session

    if warehouse is not None:
        os.environ[WAREHOUSE_VARIABLE] = str(warehouse)
    try:
        opened: SparkSession = session(session_settings(project_dir))
    except Exception as error:  # PySpark raises what it meets: OSError, RuntimeError, Py4J's errors
        raise LakeError(
            f"Spark does not start ({' '.join(str(error).split())[:200]}): Java 17 and a reachable Maven repository (or"
            " jars named by PLURA_SPARK_PACKAGES) are needed"
        ) from error
    return opened


def session_settings(project_dir: Path) -> dict[str, str]:
    """Return the Spark settings of target ``spark`` in the dbt profile, environment variables filled in."""
    from dbt.adapters.sparksession import SparkSessionCredentials

    target = target_settings(project_dir, "spark")
    settings: dict[str, str] = SparkSessionCredentials.from_dict(target).server_side_parameters
    return settings


def suit(session: SparkSession, rows: int) -> None:
    """Set what a session does for the sake of many rows, by how many there are: each costs every statement time."""
    from dbt.adapters.sparksession.session import suit as set_for

    set_for(session, rows)


def bound(sql: str, values: Mapping[str, Any]) -> str:
    """Return a statement in which each ``$name`` is the literal of its value; Delta's parser binds no parameters.

    The text of a value is never looked through for names, and ``$day`` is not the beginning of ``$days``.

    Raises:
        KeyError: the statement names a value that is not given.
    """
    from dbt.adapters.sparksession.session import literal

    return re.sub(r"\$([A-Za-z_]\w*)", lambda name: literal(values[name[1]]), sql)


def write(session: SparkSession, sql: str, **values: Any) -> int:
    """Execute an UPDATE, DELETE or MERGE of Delta, again while other writers are faster; return the rows it touched."""
    statement = bound(sql, values)
    rows = retried(lambda: session.sql(statement).collect())
    return int(rows[0]["num_affected_rows"])


def retried(action: Callable[[], Result]) -> Result:
    """Do something, again while another writer commits to the same Delta table in between."""
    from dbt.adapters.sparksession.session import retried as again

    outcome: Result = again(action)
    return outcome


@contextmanager
def plain_spark_errors() -> Iterator[None]:
    """Turn what Spark raises in the block into one line.

    Raises:
        LakeError: in place of such an error.
    """
    from py4j.protocol import Py4JError  # type: ignore[import-untyped]
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        message = lines[0][:400] if lines else type(error).__name__  # without plan and stack
        raise LakeError(f"Spark failed: {message}") from error
