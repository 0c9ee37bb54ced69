"""Plays a history on a lake and keeps the oracle's books of it: what has arrived, and which days were computed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TypeAlias

from python_jobs.load.batches import set_batch_status
from python_jobs.pipeline_names import PIPELINES
from python_jobs.warehouse import open_duckdb
from tests.dbt_runs import PROJECT
from tests.lakes import Lake
from tests.oracle.bronze import Batch
from tests.oracle.clock import ONE_DAY, as_utc, day_end, day_range, kst_day
from tests.oracle.guardrail import called_for, guard_rows
from tests.oracle.lake import TableRow, expected, silver_limits
from tests.oracle.rules import parse_entry_types, parse_rules, read_csv
from tests.oracle.silver import SilverTables, silver
from tests.property.arrivals import Files, Line
from tests.property.histories import ALL, Killed, Load, Publish, Reinstate, Run, Step, TakeBack, Wait, Withdraw
from tests.property.killing import run_killed
from tests.property.rulebooks import rulebook

Limits: TypeAlias = tuple[date, date] | None
"""First and last day that rows reach."""

STATEMENTS = 420
"""About what a run of all pipelines sends to the warehouse."""

ENTRY_TYPES = read_csv(PROJECT / "seeds" / "entry_types.csv")


@dataclass(kw_only=True)
class Played:
    """A lake and the books of what was done with it."""

    lake: Lake
    computed: dict[str, set[date]] = field(default_factory=lambda: {pipeline: set() for pipeline in ALL})
    named: dict[str, set[date]] = field(default_factory=lambda: {pipeline: set() for pipeline in ALL})
    watched_to: date | None = None
    _lines: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    _files: list[tuple[str, Files, datetime | None]] = field(default_factory=list)
    _loads: list[list[str]] = field(default_factory=list)
    _silver: SilverTables | None = None
    _processed_to: datetime | None = None
    _silver_failed: bool = False
    _kills: int = 0
    _former: dict[str, list[Limits]] = field(default_factory=lambda: {pipeline: [] for pipeline in ALL})

    def __post_init__(self) -> None:
        self.lake.seeds.setdefault("rules", rulebook())

    def play(self, *steps: Step) -> None:
        """Do some steps, one after the other."""
        for step in steps:
            self._play(step)

    def _play(self, step: Step) -> None:
        match step:
            case Load():
                self._load(step)
            case Run():
                self._run(step)
            case Killed():
                self._kill(step)
            case Withdraw() | TakeBack() | Reinstate():
                self._take_back(step)
            case Publish():
                self.lake.seeds["rules"] = rulebook(*step.changes)
            case Wait():
                self.lake.now += timedelta(hours=step.hours)

    def _take_back(self, step: Withdraw | TakeBack | Reinstate) -> None:
        match step:
            case Withdraw():
                self._set_status(step.batch, "withdrawn")
            case TakeBack():
                for batch_id in self._loads[step.load]:
                    self._change(batch_id, "loaded" if step.reinstate else "withdrawn")
            case Reinstate(by_loading=True) if self._files:
                batch_id, files, extracted_at = self._files[step.batch % len(self._files)]
                report = self.lake.load(files, extracted_at=extracted_at)
                assert [file.batch_id for file in report.files] == [batch_id]
            case Reinstate():
                self._set_status(step.batch, "loaded")

    def _load(self, load: Load) -> None:
        if not load.files:
            self._loads.append([])
            return
        report = self.lake.load(load.files, extracted_at=load.extracted_at)
        refused = {file.path.name.removesuffix(".jsonl") for file in report.files if file.outcome == "refused"}
        assert refused == {source for source, lines in load.files.items() if _has_no_object(lines)}, report.problems
        self._loads.append([file.batch_id for file in report.files if file.outcome == "loaded"])
        for file in report.files:
            lines = tuple(file.path.read_text(encoding="utf-8").split("\n")[:-1])
            if file.outcome == "loaded":
                source = file.path.name.removesuffix(".jsonl")
                self._lines[file.batch_id] = (file.table, lines)
                self._files.append((file.batch_id, {source: load.files[source]}, load.extracted_at))

    def _set_status(self, number: int, status: str) -> None:
        if not self._files:
            return
        self._change(self._files[number % len(self._files)][0], status)

    def _change(self, batch_id: str, status: str) -> None:
        if self.lake.sql("select status from bronze.load_registry where batch_id = ?", [batch_id]) != [(status,)]:
            with open_duckdb(self.lake.warehouse) as connection:
                set_batch_status(connection, batch_id, status, reason="a test", now=self.lake.now)

    def _run(self, run: Run) -> None:
        result = self.lake.run(run.first, run.last, pipelines=run.pipelines, watch=run.watch)
        self.book(run, [name for name in run.pipelines if name in {"guardrail", "silver"}])
        readers = [name for name in run.pipelines if name in {"controls", "analytics"}]
        if readers and not self._is_ready(run):
            assert len(result.problems) == len(readers), result.problems
            assert all("UpstreamReadinessError" in problem for problem in result.problems), result.problems
        else:
            assert result.problems == (), "\n".join(result.problems)
            self.book(run, readers)

    def _kill(self, killed: Killed) -> None:
        self._kills += 1
        run_id = f"killed_{self._kills}"
        run_killed(self.lake, killed.run, killed.percent * STATEMENTS // 100, run_id)
        states = states_of(self.lake)
        if states.get("pipeline_silver") == ("failure", run_id):
            self._silver_failed = True
        done = [name for name in killed.run.pipelines if states.get(PIPELINES[name]) == ("success", run_id)]
        self.book(killed.run, done)

    def book(self, run: Run, done: Iterable[str]) -> None:
        """Note that these pipelines have done what the run asked them for."""
        for name in done:
            if name == "silver":
                self._silver = self._silver_now()
                self._processed_to = max(self._processed_to or self.lake.now, self.lake.now)
                self._silver_failed = False
                for reader in ("controls", "analytics"):
                    self._former[reader].append(silver_limits(self._silver))
            else:
                self._book_days(name, run)

    def _book_days(self, name: str, run: Run) -> None:
        """Note the days that a pipeline has computed, and which of them are gone."""
        if name == "guardrail" and run.watch:
            self.watched_to = kst_day(self.lake.now - ONE_DAY)
        if name == "guardrail":
            rows = guard_rows(self._silver_now())
            reached, by_rows = days_within(called_for(rows, self.watched_to)), called_for(rows)
        else:
            assert self._silver is not None
            by_rows = silver_limits(self._silver)
            reached = days_within(by_rows)
        asked = reached if run.first is None or run.last is None else set(day_range(run.first, run.last))
        left = days_within(*self._former[name], by_rows) - reached
        closed = {day for day in asked - left if day_end(day) <= self.lake.now}
        if run.first is not None:
            self.named[name] |= closed - reached
        # a day that no row reaches any more is gone, unless it was named when none did
        self.computed[name] = self.computed[name] & (reached | self.named[name]) | closed
        self._former[name] = [by_rows]

    def _is_ready(self, run: Run) -> bool:
        """Whether the hard gate lets the run's controls and analytics through."""
        if self._silver is None or self._processed_to is None or self._silver_failed:
            return False
        return run.last is None or day_end(run.last) <= min(self.lake.now, self._processed_to)

    def batches(self) -> list[Batch]:
        """The registry of batches as the oracle takes it."""
        return [
            Batch(
                table=self._lines[batch_id][0],
                lines=self._lines[batch_id][1],
                extracted_at=as_utc(extracted_at) if extracted_at else None,
                loaded_at=as_utc(loaded_at),
                batch_seq=batch_seq,
                withdrawn=status == "withdrawn",
            )
            for batch_id, extracted_at, loaded_at, batch_seq, status in self.lake.sql(
                "select batch_id, extracted_at, loaded_at, batch_seq, status from bronze.load_registry"
            )
        ]

    def _rules(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.lake.seeds["rules"])))

    def _silver_now(self) -> SilverTables:
        return silver(self.batches(), parse_rules(self._rules()), parse_entry_types(ENTRY_TYPES), self.lake.now)

    def expected(self) -> dict[str, list[TableRow]]:
        """What Silver and Gold must hold after a run of everything, for the days computed so far."""
        return expected(
            self.batches(),
            self._rules(),
            ENTRY_TYPES,
            self.lake.now,
            self.computed["controls"],
            analytics_days=self.computed["analytics"],
            guarded_days=self.computed["guardrail"],
            watched_to=self.watched_to,
        )

    def start_over(self) -> None:
        """Forget Silver and Gold, keep Bronze."""
        self.lake.sql("drop schema if exists silver cascade")
        self.lake.sql("drop schema if exists gold cascade")
        self.computed = {pipeline: set() for pipeline in ALL}
        self.named = {pipeline: set() for pipeline in ALL}
        self._former = {pipeline: [] for pipeline in ALL}
        self.watched_to = self._silver = self._processed_to = None
        self._silver_failed = False


def days_within(*limits: Limits) -> set[date]:
    """Every day from the first to the last of some limits."""
    known = [limit for limit in limits if limit is not None]
    return set(day_range(min(first for first, _ in known), max(last for _, last in known))) if known else set()


def states_of(lake: Lake) -> dict[str, tuple[str, str]]:
    """Status and last run of each pipeline; empty when no run has begun."""
    if lake.sql("select 1 from information_schema.tables where table_name = 'pipeline_state'") == []:
        return {}
    rows = lake.sql("select pipeline_name, status, last_run_id from gold.pipeline_state")
    return {name: (status, run_id) for name, status, run_id in rows}


def _has_no_object(lines: Sequence[Line]) -> bool:
    """Whether a file is refused as a whole: it has lines, and none of them is an object."""
    return any(line and not str(line).isspace() for line in lines) and not any(isinstance(line, dict) for line in lines)
