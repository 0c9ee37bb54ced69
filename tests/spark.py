"""Lakes on real Spark + Delta Lake: one session per test process, and twins that do the same on DuckDB and on Spark."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import duckdb
import pytest
from dbt.adapters.sparksession.impl import SessionPythonJob
from dbt.adapters.sparksession.session import BY_SIZE, Cursor
from dbt_common.exceptions import DbtDatabaseError

from python_jobs.pipeline_names import PIPELINES
from python_jobs.pipelines import RunRequest, RunResult, run_pipelines
from python_jobs.report import SparkReader
from python_jobs.spark import open_session
from tests.dbt_runs import PROJECT
from tests.lakes import Lake, dbt_flags

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest
    from pyspark.sql import SparkSession

SETTINGS = {
    "PLURA_SPARK_CATALOG": "in-memory",
    "PLURA_SPARK_MASTER": "local[2]",
    "PLURA_SPARK_PARTITIONS": "2",
    "PLURA_SPARK_MEMORY": "2g",
    "PLURA_SPARK_THREADS": "1",  # so that a run is killed after the same statement each time
}
SHORT = SETTINGS | {"SPARK_SUBMIT_OPTS": "-XX:TieredStopAtLevel=1"}
"""Settings of processes that end too soon for the code that the optimizing compiler makes to pay."""

SCHEMAS = ("bronze", "silver", "gold")

FOR_FEW_ROWS = {name: few for name, (few, _) in BY_SIZE.items()}
"""Settings for tables of a few rows, as a run chooses them too."""

UNORDERED = {
    "silver.change_log": {"change_seq"},
    "gold.pipeline_day": {"change_seq"},
    "gold.pipeline_state": {"consumed_change_seq"},
}
"""Columns whose numbers no engine promises: the rows of one statement are numbered in no particular order."""
REPEATED = {"silver.change_log"}
"""Tables that a run writes to once more when it was killed before it stored what it had logged."""


def java_is_missing() -> str | None:
    """Say why Spark cannot run here, None if it can."""
    java = shutil.which("java")
    if java is None:
        return "Spark needs Java 17: no java on the path"
    version = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    return None if '"17' in version or '"21' in version else f"Spark needs Java 17: {version.splitlines()[0]}"


def skip_or_fail(why: str) -> None:
    """Skip by name, or fail where everything is required to run."""
    if os.environ.get("CI") == "true" or os.environ.get("PLURA_REQUIRE_ALL") == "1":
        pytest.fail(why)
    pytest.skip(why)


def start_session(warehouse: Path) -> SparkSession:
    """Start the session of this process, for tables of a few rows, or skip the test where Spark cannot run."""
    if why := java_is_missing():
        skip_or_fail(why)
    os.environ.update(SETTINGS)
    session = open_session(PROJECT, warehouse=warehouse)
    session.sparkContext.setLogLevel("OFF")
    for name, value in FOR_FEW_ROWS.items():
        session.conf.set(name, value)
    return session


@contextmanager
def killed_after(statements: int) -> Iterator[None]:
    """Let dbt reach Spark with so many statements, and with nothing after them: what a killed process leaves behind."""
    execute, submit = Cursor.execute, SessionPythonJob.submit
    sent = 0

    def count() -> None:
        nonlocal sent
        sent += 1
        if sent > statements:
            raise DbtDatabaseError("the process is gone")

    def count_and_execute(cursor: Cursor, sql: str, bindings: Sequence[Any] | None = None) -> None:
        count()
        execute(cursor, sql, bindings)

    def count_and_submit(job: SessionPythonJob, code: str) -> Any:
        count()
        return submit(job, code)

    executing = mock.patch.object(Cursor, "execute", count_and_execute)
    submitting = mock.patch.object(SessionPythonJob, "submit", count_and_submit)
    with executing, submitting:
        yield
    assert sent > statements, f"the run sent {sent} statements only"


@dataclass(kw_only=True)
class Twins:
    """A lake on DuckDB and the same lake on Spark: both get the same Bronze and the same runs.

    ``target`` is how dbt reaches Spark, and ``manifest`` the project parsed for it. With ``checks`` the runs there
    execute the data tests as well, with ``log`` they write dbt's log.
    """

    lake: Lake
    session: SparkSession
    manifest: Manifest
    folder: Path
    target: str = "spark"
    checks: bool = False
    log: bool = False
    _runs: int = 0

    def start_over(self) -> None:
        """Forget every table on Spark."""
        for schema in SCHEMAS:
            self.session.sql(f"drop schema if exists {schema} cascade")

    def bring_bronze(self) -> None:
        """Let Spark's Bronze hold what DuckDB's holds."""
        self.session.sql("create schema if not exists bronze")
        with duckdb.connect(str(self.lake.warehouse), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            names = connection.execute("select table_name from duckdb_tables() where schema_name = 'bronze'").fetchall()
            for (name,) in names:
                file = self.folder / f"{name}.parquet"
                columns = connection.execute(f"describe bronze.{name}").fetchall()
                zoned = ", ".join(
                    f"{column}::timestamptz as {column}" if kind == "TIMESTAMP" else column
                    for column, kind, *_ in columns
                )
                connection.execute(f"copy (select {zoned} from bronze.{name}) to '{file}' (format parquet)")
                rows = self.session.read.parquet(str(file))
                rows.write.format("delta").mode("overwrite").saveAsTable(f"bronze.{name}")

    def run(
        self,
        first_day: date | None = None,
        last_day: date | None = None,
        *,
        pipelines: Sequence[str] = tuple(PIPELINES),
        now: datetime | None = None,
    ) -> tuple[RunResult, RunResult]:
        """Run the pipelines on both, with one run id and one instant."""
        self._runs += 1
        self.lake.now = now or self.lake.now
        run_id = f"run_{self._runs}"
        self.bring_bronze()
        of_duckdb = self.lake.run(first_day, last_day, pipelines=pipelines, run_id=run_id)
        return of_duckdb, self.run_on_spark(first_day, last_day, pipelines=pipelines, run_id=run_id)

    def run_killed_on_spark(self, *, after: int, run_id: str) -> None:
        """Run on Spark alone what is due, and stop after so many statements."""
        with killed_after(after):
            died = self.run_on_spark(run_id=run_id)
        assert not died.succeeded

    def run_on_spark(
        self,
        first_day: date | None = None,
        last_day: date | None = None,
        *,
        pipelines: Sequence[str] = tuple(PIPELINES),
        run_id: str,
        watch: bool = False,
    ) -> RunResult:
        """Run the pipelines on Spark alone."""
        request = RunRequest(
            project_dir=PROJECT,
            warehouse=self.folder,
            target=self.target,
            pipelines=tuple(pipelines),
            first_day=first_day,
            last_day=last_day or first_day,
            watch=watch,
            as_of=self.lake.now.astimezone(UTC),
            run_id=run_id,
            variables=self.lake.variables,
        )
        with self.lake.seeds_in_place(self.manifest), dbt_flags(checks=self.checks, log=self.log):
            return run_pipelines(request, manifest=self.manifest, reader=lambda: nullcontext(SparkReader(self.session)))

    def differences(self) -> list[str]:
        """What differs between the tables of both: names and types of columns, then rows; one text per table."""
        found = []
        for table, columns in self._contracts().items():
            on_spark = self.session.table(table)
            kinds = {field.name: field.dataType.simpleString() for field in on_spark.schema.fields}
            if kinds != columns:
                found.append(f"{table}: columns {set(kinds.items()) ^ set(columns.items())}")
            names = [name for name in columns if name not in UNORDERED.get(table, set()) and name in kinds]
            mine = self._plain(self.lake.sql(f"select {', '.join(names)} from {table}"))
            theirs = self._plain(on_spark.select(*names).collect())
            if table in REPEATED:
                mine, theirs = sorted(set(mine), key=repr), sorted(set(theirs), key=repr)
            if mine != theirs:
                lacking, beyond = _apart(mine, theirs)
                found.append(f"{table}: Spark lacks {lacking[:2]} and has {beyond[:2]} beyond; columns {names}")
        return found

    def _contracts(self) -> dict[str, dict[str, str]]:
        """Columns and Spark types of every Silver and Gold table by its contract."""
        return {
            f"{node.schema}.{node.alias}": {
                column.name: (column.data_type or "").replace(" ", "") for column in node.columns.values()
            }
            for node in self.manifest.nodes.values()
            if node.resource_type == "model" and node.config.contract.enforced
        }

    @staticmethod
    def _plain(rows: Sequence[Any]) -> list[tuple[Any, ...]]:
        return sorted((tuple(_plain(value) for value in row) for row in rows), key=repr)


def _plain(value: Any) -> Any:
    """A value as both drivers give it: maps and lists as tuples, decimals with their scale."""
    if isinstance(value, dict):
        return tuple(sorted(value.items()))
    if isinstance(value, list):
        return tuple(value)
    return str(value) if isinstance(value, Decimal) else value


def _apart(mine: list[tuple[Any, ...]], theirs: list[tuple[Any, ...]]) -> tuple[list[Any], list[Any]]:
    left, right = set(map(repr, mine)), set(map(repr, theirs))
    return sorted(left - right), sorted(right - left)
