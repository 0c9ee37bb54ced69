"""The one Spark session of the process, and a DB-API cursor over it."""

from __future__ import annotations

import datetime as dt
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from dbt_common.exceptions import DbtDatabaseError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_REMOTE = "spark.remote"
_MEANING = ("spark.sql.session.timeZone", "spark.sql.ansi.enabled", "spark.sql.variable.substitute")
_TRIES = 30

FEW_ROWS = 500_000
"""Rows of Bronze up to which statements are planned for few rows."""

BY_SIZE = {
    "spark.sql.adaptive.enabled": ("false", "true"),
    "spark.sql.codegen.wholeStage": ("false", "true"),
    "spark.sql.codegen.factoryMode": ("NO_CODEGEN", "FALLBACK"),
    "spark.databricks.delta.stats.skipping": ("false", "true"),
}
"""Values for few rows and for many; the second ones are Spark's and Delta's own.

For few rows a plan is made once instead of after every exchange, expressions are interpreted instead of compiled as
Java, and the statistics of files are not searched, which is most of the planning of a statement. Results are the same.
"""

Result = TypeVar("Result")


def session(settings: Mapping[str, str]) -> SparkSession:
    """Return the running Spark session, else start one with the settings.

    ``spark.remote`` (``sc://host:port``) connects to a Spark Connect server, whose own settings hold there except for
    those on which the meaning of a statement depends.
    """
    from pyspark.sql import SparkSession

    if settings.get(_REMOTE):
        connected = SparkSession.builder.remote(settings[_REMOTE]).getOrCreate()
        _give_meaning(connected, tuple((name, settings[name]) for name in _MEANING if name in settings))
        return connected
    running = SparkSession.getActiveSession()
    if running is not None:
        return running
    builder = SparkSession.builder
    for name, value in settings.items():
        if value:
            builder = builder.config(name, value)
    return builder.getOrCreate()


def suit(running: SparkSession, rows: int) -> None:
    """Set what a session does for the sake of many rows, by the number of rows in Bronze."""
    for name, values in BY_SIZE.items():
        running.conf.set(name, values[rows > FEW_ROWS])


def clear_leftovers(running: SparkSession, schema: str | None, table: str | None) -> None:
    """Delete the files at the default place of a managed table that the catalog does not know.

    Spark refuses to create a table there (``LOCATION_ALREADY_EXISTS``).

    Raises:
        ValueError: the catalog knows the table.
    """
    name = f"{schema}.{table}"
    if running.catalog.tableExists(name):
        raise ValueError(f"{name} exists, and its files with it")
    state = running._jsparkSession.sessionState()  # noqa: SLF001 - PySpark does not say where tables are
    identifier = state.sqlParser().parseTableIdentifier(name)
    path = running._jvm.org.apache.hadoop.fs.Path(state.catalog().defaultTablePath(identifier))  # noqa: SLF001
    path.getFileSystem(state.newHadoopConf()).delete(path, True)


@cache
def _give_meaning(connected: SparkSession, settings: tuple[tuple[str, str], ...]) -> None:
    """Set what statements mean in a session, once: each setting is a call to the server."""
    for name, value in settings:
        connected.conf.set(name, value)


class Cursor:
    """A cursor as dbt's connection managers use it: ``execute``, ``fetchall``, ``description``."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self._frame: DataFrame | None = None

    @property
    def description(self) -> list[tuple[Any, ...]]:
        """Name and type of each column of the last statement, in the places that DB-API gives them."""
        if self._frame is None:
            return []
        return [
            (field.name, field.dataType.simpleString(), None, None, None, None, field.nullable)
            for field in self._frame.schema.fields
        ]

    def execute(self, sql: str, bindings: Sequence[Any] | None = None) -> None:
        """Execute one statement; ``%s`` stands for the bindings.

        One that loses against another writer of the same Delta table is executed again.

        Raises:
            DbtDatabaseError: Spark refuses the statement or fails in it; the text is Spark's message without its trace.
        """
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        statement = sql.strip().rstrip(";")
        if bindings:
            statement = statement % tuple(literal(value) for value in bindings)
        try:
            self._frame = retried(lambda: session(self._settings).sql(statement))
        except (PySparkException, Py4JError) as error:
            raise DbtDatabaseError(_message(error)) from error

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows of the last statement."""
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        try:
            return [] if self._frame is None else [tuple(row) for row in self._frame.collect()]
        except (PySparkException, Py4JError) as error:
            raise DbtDatabaseError(_message(error)) from error

    def close(self) -> None:
        """Forget the result."""
        self._frame = None


class Connection:
    """What dbt holds as an open connection; it gives cursors and has nothing to close."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self._cursor: Cursor | None = None

    def cursor(self) -> Connection:
        """Begin a statement."""
        self._cursor = Cursor(self._settings)
        return self

    def execute(self, sql: str, bindings: Sequence[Any] | None = None) -> None:
        """Execute one statement with the cursor at hand."""
        self._current.execute(sql, bindings)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows of the statement."""
        return self._current.fetchall()

    @property
    def description(self) -> list[tuple[Any, ...]]:
        """Columns of the statement."""
        return self._current.description

    def cancel(self) -> None:
        """Stop what runs for dbt in the session."""
        from pyspark.sql import SparkSession

        running = SparkSession.getActiveSession()
        if running is not None:
            running.interruptAll()

    def close(self) -> None:
        """Forget the result; the session lives as long as the process."""
        if self._cursor:
            self._cursor.close()

    def rollback(self, *_: Any, **__: Any) -> None:
        """Do nothing: every statement is a transaction of its own."""

    @property
    def _current(self) -> Cursor:
        if self._cursor is None:
            raise DbtDatabaseError("no statement has been executed")
        return self._cursor


def retried(action: Callable[[], Result]) -> Result:
    """Do something, again while another writer commits to the same Delta table in between.

    A statement of Delta is done whole or not at all, and reads afresh when it is executed again.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    for attempt in range(1, _TRIES):
        try:
            return action()
        except (PySparkException, Py4JError) as error:
            if not is_conflict(error):
                raise
            time.sleep(random.uniform(0.05, 0.2) * min(attempt, 10))  # noqa: S311 - only spreads the tries
    return action()


def is_conflict(error: BaseException) -> bool:
    """Whether Delta refused a commit because another writer was faster."""
    return "DELTA_CONCURRENT" in str(error) or "io.delta.exceptions.Concurrent" in str(error)


def literal(value: Any) -> str:
    r"""Return a value as a Spark SQL literal.

    Instants without a zone are UTC. A dollar sign stands as ``\u0024``: Spark replaces ``${name}`` by settings and
    environment variables before it parses a statement, also within text.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, dt.datetime):
        utc = value.astimezone(dt.UTC) if value.tzinfo else value
        return f"timestamp '{utc:%Y-%m-%d %H:%M:%S.%f}Z'"
    if isinstance(value, dt.date):
        return f"date '{value:%Y-%m-%d}'"
    text = str(value).replace("\\", "\\\\").replace("'", "\\'").replace("$", "\\u0024")
    return f"'{text}'"


def _message(error: Exception) -> str:
    """What Spark says, without the plan and the JVM's stack that follow it, and what a failed task failed of."""
    thrown = getattr(error, "java_exception", None)  # what PySpark does not know, a broken constraint for example
    text = _without_plan(str(error if thrown is None else thrown.getMessage()))
    root = _without_plan(_root_message(thrown)).partition("\n")[0]
    return text if root in text else f"{text}: {root}"


def _without_plan(text: str) -> str:
    return re.split(r"\n\nJVM stacktrace|\n\n== SQL|;\n'", text, maxsplit=1)[0].strip()


def _root_message(thrown: Any) -> str:
    """Message of the exception of the JVM that led to all others, empty if it has none."""
    while thrown is not None and thrown.getCause() is not None:
        thrown = thrown.getCause()
    return "" if thrown is None else thrown.getMessage() or ""
