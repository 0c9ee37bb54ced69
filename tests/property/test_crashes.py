"""A run that is killed between any two of its statements, and run again, ends where an undisturbed run ends.

The suite kills at a few statements spread over the run. PLURA_CRASHES=all kills at every one, PLURA_CRASHES=20:7 at
every 20th from the 7th on.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from python_jobs.pipeline_names import PIPELINES
from tests.lakes import Lake
from tests.oracle.lake import TableRow
from tests.property.comparing import changes, differences, published
from tests.property.eventful import AFTER_FIRST_LOAD, AFTER_SECOND_LOAD, BEFORE_FIRST_RUN, BEFORE_SECOND_RUN
from tests.property.histories import ALL, Run
from tests.property.killing import run_killed
from tests.property.playing import Played, states_of
from tests.property.rulebooks import rulebook

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

KILLED, HEALED = "killed", "healed"
SPREAD = 5
"""Kills of a run in the normal suite."""


@dataclass(kw_only=True)
class Stage:
    """A warehouse in front of a run, and what the run gives when nothing disturbs it."""

    lake: Lake
    statements: int
    undisturbed: dict[str, list[TableRow]]

    def copy(self, work: Path) -> Lake:
        """A warehouse of its own that stands where this one stands."""
        work.mkdir()
        shutil.copy(self.lake.warehouse, work)
        lake = Lake(work=work, manifest=self.lake.manifest, now=self.lake.now, checks=False)
        lake.seeds["rules"] = rulebook()
        return lake


def stage(played: Played) -> Stage:
    """The run ahead is done once on a copy, and checked against the oracle."""
    before = Stage(lake=played.lake, statements=0, undisturbed={})
    played.lake = before.copy(before.lake.work / "undisturbed")
    before.statements = run_killed(played.lake, Run(), None, "undisturbed")
    played.book(Run(), ALL)
    assert differences(played.lake, played.expected()) == []
    before.undisturbed = published(played.lake)
    return before


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> dict[str, Stage]:
    """In front of the very first run, and in front of one that has everything to change."""
    found = {}
    for name in ("first", "second"):
        lake = Lake(work=tmp_path_factory.mktemp(name), manifest=manifest, now=AFTER_FIRST_LOAD, checks=False)
        played = Played(lake=lake)
        played.play(*BEFORE_FIRST_RUN)
        if name == "second":
            played.play(Run(), *BEFORE_SECOND_RUN)
            lake.now = AFTER_SECOND_LOAD
        found[name] = stage(played)
    return found


def places(statements: int, seed: int) -> list[int]:
    """The statements to kill before."""
    chosen = os.environ.get("PLURA_CRASHES", "")
    if chosen == "all":
        return list(range(statements))
    if chosen:
        step, offset = map(int, chosen.split(":"))
        return list(range(offset, statements, step))
    step = statements // SPREAD
    return list(range(step * seed // 7 % step, statements, step))


def assert_failure_shows(before: dict[str, tuple[str, str]], after: dict[str, tuple[str, str]]) -> None:
    """Unless nothing has begun, what the killed run did not complete has failed, and all that builds on it."""
    if after == before:
        return
    done = {name for name in PIPELINES.values() if after[name] == ("success", KILLED)}
    failed = {name for name in PIPELINES.values() if after[name] == ("failure", KILLED)}
    assert done | failed == set(PIPELINES.values())
    assert failed
    assert "pipeline_silver" in done or {"pipeline_b", "pipeline_c"} <= failed


@pytest.mark.timeout(0 if os.environ.get("PLURA_CRASHES") else 600)
@pytest.mark.parametrize(("name", "seed"), [("first", 2), ("second", 5)])
def test_a_run_killed_anywhere_and_run_again_ends_where_an_undisturbed_run_ends(
    stages: dict[str, Stage], tmp_path: Path, name: str, seed: int
) -> None:
    stage = stages[name]
    before = states_of(stage.lake)
    problems = []
    for statement in places(stage.statements, seed):
        lake = stage.copy(tmp_path / f"killed_{statement}")
        run_killed(lake, Run(), statement, KILLED)
        assert_failure_shows(before, states_of(lake))
        lake.run_clean(run_id=HEALED)
        assert {run for _, run in states_of(lake).values()} == {HEALED}
        problems += [(statement, change) for change in changes(stage.undisturbed, published(lake))]
        shutil.rmtree(lake.work)
    assert problems == []
