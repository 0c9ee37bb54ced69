"""The reference and the property tests' inputs on both engines: gates, kills, rules that change, odd lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from python_jobs.pipelines import PIPELINES, RunResult
from tests.integration.scenarios import EXTRACTED, folder_of
from tests.lakes import Lake
from tests.property.comparing import differences
from tests.property.eventful import AFTER_FIRST_LOAD, AFTER_SECOND_LOAD, BEFORE_FIRST_RUN, BEFORE_SECOND_RUN
from tests.property.histories import Run
from tests.property.playing import Played
from tests.property.rulebooks import rulebook
from tests.spark import Twins, interpreted

pytestmark = pytest.mark.timeout(1800)  # Spark plans and commits five hundred statements a run


@dataclass(kw_only=True)
class TwinnedLake(Lake):
    """A lake on DuckDB whose runs happen on Spark as well."""

    twins: Twins = field(init=False)
    _ids: int = 0

    def run(
        self,
        first_day: date | None = None,
        last_day: date | None = None,
        *,
        pipelines: Any = tuple(PIPELINES),
        run_id: str | None = None,
    ) -> RunResult:
        """Run on both engines under one run id; the same nodes must fail."""
        self._ids += 1
        run_id = run_id or f"run_{self._ids}"
        self.twins.bring_bronze()
        here = super().run(first_day, last_day, pipelines=pipelines, run_id=run_id)
        there = self.twins.run_on_spark(first_day, last_day, pipelines=pipelines, run_id=run_id)
        assert sorted(there.problems) == sorted(here.problems)
        return here


@pytest.fixture
def twinned(twins: Twins, tmp_path: Path) -> Iterator[TwinnedLake]:
    """An empty lake on both engines."""
    lake = TwinnedLake(work=tmp_path, manifest=twins.lake.manifest, checks=False)
    lake.twins, twins.lake = twins, lake
    twins.start_over()
    with interpreted(twins.session):
        yield lake


def moved(line: str, number: int) -> str:
    """A line of a scenario on days and with ids that no other scenario has; what is broken in it stays broken."""

    def later(found: re.Match[str]) -> str:
        return f"{date.fromisoformat(found[0]) + timedelta(days=3 * number)}"

    return re.sub(r'("\w*id": "?[a-z_]*)(\d)', rf"\g<1>{10 + number}\2", re.sub(r"2026-\d\d-\d\d", later, line))


def load_scenarios(lake: Lake) -> int:
    """Load all scenarios, three days apart; returns how many there are."""
    folders = sorted(path for path in folder_of("").iterdir() if path.is_dir())
    for number, folder in enumerate(folders):
        files = {
            file.stem: [moved(line, number) for line in file.read_text(encoding="utf-8").splitlines()]
            for file in folder.glob("*.jsonl")
        }
        lake.load(files, extracted_at=EXTRACTED + timedelta(days=3 * number))
    return len(folders)


def test_reference_scenarios_stop_at_the_gate_and_pass_an_open_one_alike(twinned: TwinnedLake) -> None:
    scenarios = load_scenarios(twinned)
    twinned.now = EXTRACTED + timedelta(days=3 * scenarios)
    stopped = twinned.run()
    assert any(line.startswith("bad-rate gate: silver.ledger_entries has") for line in stopped.problems)
    assert twinned.twins.differences() == []
    assert twinned.twins.session.table("silver.ledger_entries").isEmpty()
    twinned.seeds["rules"] = rulebook()
    twinned.run_clean()
    assert twinned.twins.differences() == []
    assert len(twinned.sql("select distinct verdict, coverage from gold.recon_daily_snapshot_flow")) > len(PIPELINES)


def test_an_eventful_history_with_a_killed_run_ends_alike(twinned: TwinnedLake) -> None:
    """On Spark the second run is killed in the middle before it is let through; on DuckDB it is not."""
    twinned.now = AFTER_FIRST_LOAD
    played = Played(lake=twinned)
    played.play(*BEFORE_FIRST_RUN, Run())
    assert twinned.twins.differences() == []
    played.play(*BEFORE_SECOND_RUN)
    twinned.now = AFTER_SECOND_LOAD
    twinned.twins.bring_bronze()
    twinned.twins.run_killed_on_spark(after=180)
    played.play(Run())
    assert differences(twinned, played.expected()) == []
    assert twinned.twins.differences(clocks=False) == []
