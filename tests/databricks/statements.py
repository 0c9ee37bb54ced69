"""Sessions and statements of the SQL Statement Execution API, executed by Spark."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotDone
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.errors import PySparkException

from tests.databricks.dialect import Dialect, RefusedError
from tests.spark import FOR_FEW_ROWS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.types import StructType

CHUNK_ROWS = 10_000
"""Rows of one chunk of a result; a client fetches each over a link of its own."""

SESSION_SETTINGS = {
    # what a SQL warehouse has and plain Spark has not
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.sources.default": "delta",
    "spark.sql.legacy.createHiveTableByDefault": "false",
    **FOR_FEW_ROWS,
}

OTHER_SETTINGS = {"TIMEZONE": "Asia/Seoul", "ANSI_MODE": "false"}
"""What the administrator of the SQL warehouse has chosen; a session may choose otherwise."""

_SETTING_NAMES = {"TIMEZONE": "spark.sql.session.timeZone", "ANSI_MODE": "spark.sql.ansi.enabled"}
_TYPE_NAMES = {"tinyint": "BYTE", "smallint": "SHORT", "bigint": "LONG", "void": "NULL"}


class ApiError(Exception):
    """A request that the workspace refuses."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code

    @property
    def body(self) -> dict[str, Any]:
        """The answer as the API words it."""
        return {"error_code": self.code, "message": str(self)}


@dataclass(frozen=True, kw_only=True)
class Result:
    """Rows of a statement in chunks of Arrow IPC streams, and their Spark types."""

    schema: StructType | None
    chunks: tuple[bytes, ...]
    rows: tuple[int, ...]


@dataclass(kw_only=True)
class Statements:
    """The SQL warehouse: one Spark session per session of the API, so that temporary views are the session's own.

    ``texts`` holds every statement as it was sent. ``base`` is the address that links to results begin with.
    """

    spark: SparkSession
    dialect: Dialect
    base: str
    texts: list[str] = field(default_factory=list)
    _sessions: dict[str, SparkSession] = field(default_factory=dict)
    _running: dict[str, Future[Result]] = field(default_factory=dict)
    _workers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(max_workers=4))

    def open_session(self, request: dict[str, Any]) -> dict[str, Any]:
        """Begin a session in a catalog and schema, with the settings it asks for."""
        catalog = request.get("catalog") or self.dialect.catalog
        if catalog != self.dialect.catalog:
            raise ApiError(404, "CATALOG_DOES_NOT_EXIST", f"Catalog '{catalog}' does not exist.")
        name = str(uuid.uuid4())
        self._sessions[name] = session = new_session(self.spark)
        asked = {setting.upper(): value for setting, value in (request.get("session_confs") or {}).items()}
        for setting, name_on_spark in _SETTING_NAMES.items():
            session.conf.set(name_on_spark, asked.get(setting, OTHER_SETTINGS[setting]))
        return {"session_id": name}

    def close_session(self, name: str) -> dict[str, Any]:
        """End a session."""
        self._session(name)
        del self._sessions[name]
        return {}

    @property
    def open_sessions(self) -> int:
        """Sessions that were begun and not ended."""
        return len(self._sessions)

    def execute(self, request: dict[str, Any]) -> dict[str, Any]:
        """Execute a statement; one that takes longer than ``wait_timeout`` is answered as still running."""
        spark = self._session(request["session_id"])
        text = request["statement"]
        parameters = request.get("parameters") or []
        self.texts.append(text)
        name = str(uuid.uuid4())
        self._running[name] = self._workers.submit(self._run, spark, text, parameters)
        seconds = float(str(request.get("wait_timeout") or "10s").rstrip("s"))
        return self.state(name, seconds=seconds)

    def state(self, name: str, *, seconds: float = 0) -> dict[str, Any]:
        """State of a statement, with its result when it is done; waits for it for a time."""
        done = self._statement(name)
        try:
            result = done.result(timeout=seconds)
        except NotDone:
            return {"statement_id": name, "status": {"state": "RUNNING"}}
        except PySparkException as error:
            return _failed(name, "BAD_REQUEST", str(error).split("\n\nJVM stacktrace")[0])
        except RefusedError as error:
            return _failed(name, "BAD_REQUEST", str(error))
        except Exception as error:  # noqa: BLE001 - a client that gets no answer tries again for a quarter of an hour
            return _failed(name, "INTERNAL_ERROR", f"{type(error).__name__}: {error}")
        return {
            "statement_id": name,
            "status": {"state": "SUCCEEDED"},
            "manifest": {
                "format": "ARROW_STREAM",
                "schema": {"columns": _columns(result.schema)},
                "total_row_count": sum(result.rows),
                "total_chunk_count": len(result.chunks),
                "result_compression": "NONE",
            },
            "result": self.links(name, 0) if result.chunks else {},
        }

    def links(self, name: str, chunk: int) -> dict[str, Any]:
        """Link to a chunk of a result, which says which one is next."""
        result = self._statement(name).result(timeout=0)
        expires = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=15)
        link: dict[str, Any] = {
            "external_link": f"{self.base}/results/{name}/{chunk}",
            "expiration": expires.isoformat(),
            "chunk_index": chunk,
            "byte_count": len(result.chunks[chunk]),
            "row_count": result.rows[chunk],
            "row_offset": sum(result.rows[:chunk]),
        }
        if chunk + 1 < len(result.chunks):
            link["next_chunk_index"] = chunk + 1
        return {"external_links": [link]}

    def chunk(self, name: str, number: int) -> bytes:
        """The bytes behind a link."""
        return self._statement(name).result(timeout=0).chunks[number]

    def forget(self, name: str) -> dict[str, Any]:
        """Cancel or close a statement."""
        self._running.pop(name, None)
        return {}

    def stop(self) -> None:
        """End all sessions; statements that run are waited for."""
        self._workers.shutdown(wait=True, cancel_futures=True)
        self._sessions.clear()

    def _run(self, spark: SparkSession, text: str, parameters: list[dict[str, Any]]) -> Result:
        answer = self.dialect.answer(spark, text)
        if answer is not None and not answer.columns:
            return Result(schema=None, chunks=(), rows=())
        if answer is not None:
            frame = spark.createDataFrame(answer.rows, answer.columns)
        else:
            self.dialect.prepare(spark, text)
            statement = self.dialect.for_spark(text).strip().rstrip(";")
            frame = spark.sql(_bound(statement, parameters) if parameters else statement)
        try:
            table = frame.toArrow()
        except pa.ArrowInvalid:
            # the metrics of OPTIMIZE are structs whose fields pyarrow takes for nullable
            frame = frame.select(*(frame[f"`{name}`"].cast("string").alias(name) for name in frame.columns))
            table = frame.toArrow()
        parts = [table.slice(start, CHUNK_ROWS) for start in range(0, table.num_rows, CHUNK_ROWS)]
        return Result(
            schema=frame.schema, chunks=tuple(map(_stream, parts)), rows=tuple(part.num_rows for part in parts)
        )

    def _session(self, name: str) -> SparkSession:
        try:
            return self._sessions[name]
        except KeyError:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Session {name} does not exist.") from None

    def _statement(self, name: str) -> Future[Result]:
        try:
            return self._running[name]
        except KeyError:
            raise ApiError(404, "NOT_FOUND", f"Statement {name} does not exist.") from None


def new_session(spark: SparkSession) -> SparkSession:
    """Return a session with the catalog of another and the settings of a SQL warehouse."""
    session = spark.newSession()
    for name, value in SESSION_SETTINGS.items():
        session.conf.set(name, value)
    return session


def _stream(table: pa.Table) -> bytes:
    """A table as Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _columns(schema: StructType | None) -> list[dict[str, Any]]:
    """Columns of a result as the manifest describes them."""
    columns = []
    for position, field_ in enumerate(schema.fields if schema is not None else []):
        text = field_.dataType.simpleString()
        word = re.split(r"[(<]", text)[0]
        column: dict[str, Any] = {
            "name": field_.name,
            "position": position,
            "type_text": text.upper(),
            "type_name": _TYPE_NAMES.get(word, word.upper()),
        }
        if word == "decimal":
            precision, scale = re.findall(r"\d+", text)
            column |= {"type_precision": int(precision), "type_scale": int(scale)}
        columns.append(column)
    return columns


def _failed(name: str, code: str, message: str) -> dict[str, Any]:
    """The state of a statement that failed."""
    failure = {"error_code": code, "message": message}
    return {"statement_id": name, "status": {"state": "FAILED", "error": failure}}


_MARKERS = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`|--[^\n]*|/\*.*?\*/|(?<![:\w]):(?P<name>[a-z_]\w*)|(?P<place>\?)""",
    re.IGNORECASE | re.DOTALL,
)


def _bound(statement: str, given: list[dict[str, Any]]) -> str:
    """Put the parameters, by name or in their order, in place of their markers: Delta Lake's parser binds none."""
    by_name = {parameter.get("name"): _literal(parameter) for parameter in given}
    in_order = iter(given)

    def value(marker: re.Match[str]) -> str:
        if marker["place"]:
            return _literal(next(in_order))
        return by_name[marker["name"]] if marker["name"] else marker[0]

    return _MARKERS.sub(value, statement)


def _literal(parameter: dict[str, Any]) -> str:
    """Value of a parameter, which the API carries as text beside its type."""
    text = parameter.get("value")
    if text is None:
        return "null"
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"cast('{escaped}' as {parameter.get('type') or 'STRING'})"
