"""A warehouse for one test: raw lines in, pipelines run as users run them, tables out."""

from __future__ import annotations

import atexit
import gc
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from python_jobs.load import LoadReport, load_folder
from python_jobs.pipeline_names import PIPELINES
from python_jobs.pipelines import RunRequest, RunResult, parse_project, run_pipelines
from tests.dbt_runs import PROJECT

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

Line = Mapping[str, Any] | str

CLOCKS = {"run_id", "generated_at", "updated_at", "detected_at", "detected_date_kst", "changed_at"}
"""Columns that tell when and by which run a row was written."""


def parsed_project(warehouse: Path, target: str = "duckdb") -> Manifest:
    """The project, parsed for any number of runs of this process, which become quicker."""
    from tests.quick_dbt import install  # imports dbt, which takes a second

    install()
    manifest = parse_project(PROJECT, warehouse, target)
    gc.collect()
    gc.freeze()  # a collector that walks through a manifest again and again takes a tenth of a run
    atexit.register(gc.unfreeze)  # else DuckDB complains of what is left at the end
    return manifest


@dataclass(kw_only=True)
class Lake:
    """A warehouse below ``work``; ``manifest`` is the parsed project (fixture of the same name).

    ``now`` is the instant of loads and runs (aware); a test may move it. ``seeds`` are texts of seed files
    that the runs read instead of the project's own, by name (``rules``, ``entry_types``). Without ``checks`` the runs
    leave out dbt's data tests except the one of the bad-rate gate, which saves a third of their time. With ``log`` they
    write dbt's log, and callbacks get the statements that are executed.
    """

    work: Path
    manifest: Manifest
    now: datetime = datetime(2026, 3, 10, tzinfo=UTC)
    variables: dict[str, Any] = field(default_factory=dict)
    seeds: dict[str, str] = field(default_factory=dict)
    checks: bool = True
    log: bool = False
    _loads: int = 0

    @property
    def warehouse(self) -> Path:
        """The DuckDB file."""
        return self.work / "plura.duckdb"

    def load(self, lines: Mapping[str, Iterable[Line]], *, extracted_at: datetime | None = None) -> LoadReport:
        """Load lines by source name (``transaction_ledger``, …); text is taken as it is, the rest as JSON."""
        self._loads += 1
        folder = self.work / f"load_{self._loads}"
        folder.mkdir(parents=True)
        for source, records in lines.items():
            texts = (record if isinstance(record, str) else json.dumps(record) for record in records)
            (folder / f"{source}.jsonl").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        return self.load_folder(folder, extracted_at=extracted_at)

    def load_folder(self, folder: Path, *, extracted_at: datetime | None = None) -> LoadReport:
        """Load a folder as ``plura lake load`` does, without Great Expectations."""
        return load_folder(
            project_dir=PROJECT, warehouse=self.warehouse, folder=folder, now=self.now, extracted_at=extracted_at
        )

    def run(
        self,
        first_day: date | None = None,
        last_day: date | None = None,
        *,
        pipelines: Sequence[str] = tuple(PIPELINES),
        run_id: str | None = None,
        watch: bool = False,
    ) -> RunResult:
        """Run pipelines as ``plura lake run`` does."""
        named = {"run_id": run_id} if run_id else {}
        request = RunRequest(
            project_dir=PROJECT,
            warehouse=self.warehouse,
            pipelines=tuple(pipelines),
            first_day=first_day,
            last_day=last_day or first_day,
            watch=watch,
            as_of=self.now,
            variables=self.variables,
            **named,
        )
        with self.seeds_in_place(self.manifest), dbt_flags(checks=self.checks, log=self.log):
            return run_pipelines(request, manifest=self.manifest)

    @contextmanager
    def seeds_in_place(self, manifest: Manifest) -> Iterator[None]:
        """Let dbt find the seeds of the test below the warehouse while the block runs."""
        nodes = {name: manifest.nodes[f"seed.plura.{name}"] for name in self.seeds}
        before = {name: node.original_file_path for name, node in nodes.items()}
        for name, node in nodes.items():
            file = self.work / "project" / f"{name}.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self.seeds[name], encoding="utf-8")
            node.original_file_path = str(file)  # absolute: dbt joins it to the folder of the project
        try:
            yield
        finally:
            for name, node in nodes.items():
                node.original_file_path = before[name]

    def run_clean(self, first_day: date | None = None, last_day: date | None = None, **options: Any) -> RunResult:
        """Run pipelines and insist on success."""
        result = self.run(first_day, last_day, **options)
        assert result.succeeded, result.problems
        return result

    def sql(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement."""
        with duckdb.connect(str(self.warehouse)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(statement, list(parameters)).fetchall()

    def table(self, name: str, columns: Sequence[str] = (), where: str = "true") -> list[dict[str, Any]]:
        """Rows of a table in no particular order, by column name; without ``columns`` all but the clocks."""
        with duckdb.connect(str(self.warehouse)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            cursor = connection.execute(f"select {', '.join(columns) or '*'} from {name} where {where}")
            names = [column[0] for column in cursor.description]
            return [
                {name: value for name, value in zip(names, row, strict=True) if columns or name not in CLOCKS}
                for row in cursor.fetchall()
            ]

    def exceptions(self) -> list[tuple[Any, ...]]:
        """Open exceptions: day, type, severity, source, subject."""
        return self.sql(
            "select date_kst, exception_type, severity, source_table, subject from gold.exception_ledger"
            " where resolved_at is null order by all"
        )


@contextmanager
def dbt_flags(*, checks: bool, log: bool = False) -> Iterator[None]:
    """Write no artifacts and no log, and select no data tests, unless they are asked for, while the block runs."""
    flags = {"DBT_WRITE_JSON": "false", "DBT_LOG_LEVEL_FILE": "debug" if log else "none"}
    flags |= {} if checks else {"DBT_INDIRECT_SELECTION": "empty"}
    before = {name: os.environ.get(name) for name in flags}
    os.environ.update(flags)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
