"""Runs the pipelines of the lake through dbt, in the right order, with one run_id."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from python_jobs.pipeline_names import PIPELINES
from python_jobs.progress import Progress
from python_jobs.report import DuckDBReader, Reader
from python_jobs.rules import project_rules
from python_jobs.warehouse import LakeError, explain_text, open_duckdb

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What one run is to do.

    ``first_day`` and ``last_day`` name KST days, both included; without them every closed day that is not done or is
    due again is computed. With ``watch`` the guardrail expects data up to now: it writes day rows up to yesterday and
    tiles of the running day. Without it day rows end where the data end. ``as_of`` is the run's instant (aware).
    """

    project_dir: Path
    warehouse: Path
    target: str = "duckdb"
    pipelines: tuple[str, ...] = tuple(PIPELINES)
    first_day: date | None = None
    last_day: date | None = None
    watch: bool = False
    run_id: str = field(default_factory=lambda: new_run_id(datetime.now(UTC)))
    as_of: datetime = field(default_factory=lambda: datetime.now(UTC))
    variables: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """Outcome of a run.

    ``problems`` holds one line per failed node and is empty on success. ``summary`` says in lines of text what the run
    wrote; a lake adds it.
    """

    run_id: str
    seconds: float
    problems: tuple[str, ...]
    node_seconds: dict[str, float]
    summary: tuple[str, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether every node of the run succeeded."""
        return not self.problems


_WAREHOUSE_VARIABLES = {"duckdb": "PLURA_DUCKDB_PATH", "spark": "PLURA_SPARK_WAREHOUSE"}
"""Environment variables by which the dbt profile learns where the warehouse lies; Databricks has its own."""


def new_run_id(now: datetime) -> str:
    """Return an id that sorts by time and is unique among runs of one second."""
    return f"lake_{now.astimezone(UTC):%Y%m%dT%H%M%SZ}_{secrets.token_hex(3)}"


def parse_project(project_dir: Path, warehouse: Path, target: str = "duckdb") -> Manifest:
    """Parse the dbt project once; the result serves any number of runs.

    Raises:
        LakeError: the project does not parse, or the target is unknown.
    """
    with _dbt_environment(project_dir, warehouse, target):
        _install_packages(project_dir)
        result = _invoke(["parse", *_quiet(project_dir, target)])
    if result.exception is not None or not result.success:
        raise LakeError(f"the dbt project in {project_dir} does not parse: {_one_line(result.exception)}")
    manifest: Manifest = result.result
    return manifest


def run_pipelines(
    request: RunRequest,
    *,
    progress: Progress | None = None,
    manifest: Manifest | None = None,
    reader: Callable[[], AbstractContextManager[Reader]] | None = None,
) -> RunResult:
    """Run the pipelines that a request names.

    ``reader`` opens the warehouse for the figures of a gate that stopped the run; a DuckDB file needs none.

    Raises:
        LakeError: the run could not start, which is recorded as its failure; a failed node is no exception but a
            problem in the result.
    """
    started = datetime.now(UTC)
    if refused := _refused_rules(request, manifest, started):
        return refused
    try:
        if manifest is None:
            if progress is not None:
                progress(0, 1, "reading the dbt project")
            manifest = parse_project(request.project_dir, request.warehouse, request.target)
    except LakeError:
        if request.target == "duckdb":
            _record_failure(request)
        raise
    selected = [f"tag:{PIPELINES[name]}" for name in PIPELINES if name in request.pipelines]
    arguments = [
        "build",
        "--select",
        "tag:shared",
        *selected,
        "--exclude-resource-type",
        "unit_test",
        "--vars",
        _variables(request),
        *_quiet(request.project_dir, request.target),
    ]
    counter = _NodeCounter(progress)
    with _dbt_environment(request.project_dir, request.warehouse, request.target):
        result = _invoke(arguments, manifest=manifest, callbacks=[counter])
    problems = [line for node in (result.result or []) if (line := _problem(node))]
    if result.exception is not None:
        problems.append(_one_line(result.exception))
        if request.target == "duckdb":
            _record_failure(request)
    if request.target == "duckdb":
        problems = [_in_plain_words(line, request.warehouse) for line in problems]
        reader = reader or (lambda: _duckdb_reader(request.warehouse))
    if reader is not None and any("bad_rate_within_threshold" in line for line in problems):
        problems = [line for line in problems if "bad_rate_within_threshold" not in line]
        with reader() as opened:
            problems += _gate_problems(opened)
    return RunResult(
        run_id=request.run_id,
        seconds=_seconds_since(started),
        problems=tuple(problems),
        node_seconds={r.node.name: r.execution_time for r in (result.result or []) if hasattr(r, "node")},
    )


def _refused_rules(request: RunRequest, manifest: Manifest | None, started: datetime) -> RunResult | None:
    """Return the result of a run whose rules cannot be read, before dbt starts; None if they can."""
    problem = project_rules(request.project_dir, manifest).problem
    if problem is None:
        return None
    if request.target == "duckdb":
        _record_failure(request)
    return RunResult(run_id=request.run_id, seconds=_seconds_since(started), problems=(problem,), node_seconds={})


def _seconds_since(started: datetime) -> float:
    return (datetime.now(UTC) - started).total_seconds()


def write_docs(project_dir: Path, warehouse: Path, target: str = "duckdb") -> Path:
    """Write the dbt docs as one page that needs no server, and return it.

    Raises:
        LakeError: dbt could not write them.
    """
    with _dbt_environment(project_dir, warehouse, target):
        result = _invoke(["docs", "generate", "--static", *_quiet(project_dir, target)])
    if not result.success:
        raise LakeError(f"dbt docs could not be written: {_one_line(result.exception)}")
    return project_dir / "target" / "static_index.html"


def _invoke(arguments: list[str], **runner: Any) -> Any:
    """Run one dbt command and return its result.

    Raises:
        KeyboardInterrupt: the user interrupted it; dbt makes a failed result, or another error, of that.
    """
    from dbt.cli.main import dbtRunner

    interrupted = threading.Event()

    def note(_signal: int, _frame: object) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, note) if is_main else None
    try:
        result = dbtRunner(**runner).invoke(arguments)
    finally:
        if is_main:
            signal.signal(signal.SIGINT, before)
    if interrupted.is_set():
        raise KeyboardInterrupt
    return result


def _variables(request: RunRequest) -> str:
    import json

    last_day = request.last_day or request.first_day
    return json.dumps(
        {
            "run_id": request.run_id,
            "as_of": request.as_of.astimezone(UTC).isoformat(),
            "date_from": request.first_day.isoformat() if request.first_day else "",
            "date_to": last_day.isoformat() if last_day else "",
            "watch": request.watch,
            **request.variables,
        }
    )


def _quiet(project_dir: Path, target: str) -> list[str]:
    return [
        "--project-dir",
        str(project_dir),
        "--profiles-dir",
        str(project_dir / "profiles"),
        "--target",
        target,
        "--log-level",
        "none",
    ]


@contextmanager
def _dbt_environment(project_dir: Path, warehouse: Path, target: str) -> Iterator[None]:
    """Point dbt's profile at the warehouse, let its log be short, and close its connection afterwards."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    place = _WAREHOUSE_VARIABLES.get(target)
    settings = {"PLURA_TARGET": target, "DBT_LOG_LEVEL_FILE": os.environ.get("DBT_LOG_LEVEL_FILE") or "info"}
    settings |= {place: str(warehouse)} if place else {}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    folder = Path.cwd()
    os.chdir(project_dir)
    try:
        yield
    finally:
        os.chdir(folder)
        DuckDBConnectionManager.close_all_connections()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _install_packages(project_dir: Path) -> None:
    """Install the local dbt packages when they are missing; nothing is fetched."""
    if (project_dir / "packages.yml").exists() and not (project_dir / "dbt_packages").exists():
        result = _invoke(["deps", "--project-dir", str(project_dir), "--log-level", "none"])
        if not result.success:
            shutil.rmtree(project_dir / "dbt_packages", ignore_errors=True)
            raise LakeError(f"dbt packages of {project_dir} could not be installed: {_one_line(result.exception)}")


class _NodeCounter:
    """Counts finished nodes in the event stream of dbt.

    Progress gets the nodes done, the nodes in all, and a name: of the node that ended, or ``running`` and that of the
    node that began.
    """

    _FINISHED = frozenset({"LogModelResult", "LogTestResult", "LogSeedResult", "LogSnapshotResult"})

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._done = 0

    def __call__(self, event: Any) -> None:
        if self._progress is None or event.info.name not in {*self._FINISHED, "LogStartLine"}:
            return
        node = event.data.node_info.node_name
        if event.info.name in self._FINISHED:
            self._done += 1
        else:
            node = f"running {node}"
        # dbt calls the number of all nodes `total` in some events and `num_models` in others
        total = getattr(event.data, "total", 0) or getattr(event.data, "num_models", 0)
        self._progress(self._done, max(total, self._done), node)


def _problem(node: Any) -> str | None:
    status = str(node.status)
    if status not in {"error", "fail", "runtime error"}:
        return None
    return f"{node.node.name}: {_one_line(node.message)}"


def _in_plain_words(problem: str, warehouse: Path) -> str:
    """A problem with the DuckDB file in the words of the other commands, with the name of the node kept."""
    explained = explain_text(problem, warehouse)
    node = problem.split(": ", 1)[0]
    if explained is None:
        return problem
    return explained if " " in node else f"{node}: {explained}"


def _one_line(message: object) -> str:
    """The telling line of an error of dbt, DuckDB or a Python model."""
    lines = [line.strip() for line in str(message).splitlines() if line.strip()]
    for line in lines:
        if "UpstreamReadinessError" in line:
            return line
    if any(line.startswith("Traceback") for line in lines):
        return lines[-1][:400]
    skipped = ("Compilation Error in", "Runtime Error in", "Database Error", "Runtime Error")
    kept = [line for line in lines if not line.startswith(skipped)] or lines or ["unknown error"]
    if "CSV Error" in kept[0]:  # the lines that follow name the text and the column
        telling = [line for line in kept[1:] if line.startswith(("Original Line", "Error when", "Could not convert"))]
        return "; ".join([kept[0], *telling])[:400]
    return kept[0][:400]


def _gate_problems(reader: Reader) -> list[str]:
    """One line per Silver table that the bad-rate gate stopped, with the figures and what to do."""
    rows = reader.rows(
        "select source_table, bad_rows, total_rows, bad_rate, threshold, rule_id from silver.int_bad_rate_gate"
        " where is_breached order by source_table"
    )
    return [
        f"bad-rate gate: {row['source_table']} has {row['bad_rows']} bad of {row['total_rows']} pending rows"
        f" ({row['bad_rate']} > {row['threshold']}, rule {row['rule_id']}); nothing was published. See"
        " silver.bad_records, then load corrected rows, withdraw the batch or change the rule"
        for row in rows
    ]


@contextmanager
def _duckdb_reader(warehouse: Path) -> Iterator[Reader]:
    with open_duckdb(warehouse, read_only=True) as connection:
        yield DuckDBReader(connection)


def _record_failure(request: RunRequest) -> None:
    """Record a run that dbt could not even start; one that started has recorded itself already."""
    try:
        with open_duckdb(request.warehouse) as connection:
            for name in request.pipelines:
                connection.execute(
                    "update gold.pipeline_state set status = 'failure', last_run_id = ?, updated_at = ?"
                    " where pipeline_name = ?",
                    [request.run_id, request.as_of.astimezone(UTC).replace(tzinfo=None), PIPELINES[name]],
                )
    except (duckdb.Error, LakeError):
        return  # no state table yet, or no warehouse to write to: the problem itself is reported


def known_targets(project_dir: Path) -> list[str]:
    """Return the targets of the dbt profile, the default one first."""
    import yaml

    text = (project_dir / "profiles" / "profiles.yml").read_text(encoding="utf-8")
    return list(yaml.safe_load(text)["plura"]["outputs"])
