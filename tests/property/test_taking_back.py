"""After a load is taken back, and a run, the lake is that of a warehouse that never saw it.

The suite tries a few histories, always the same ones. PLURA_EXAMPLES=50 tries that many, other ones each time, and cuts
down the first that fails.
"""

from __future__ import annotations

import shutil
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lakes import Lake
from tests.oracle.lake import TableRow
from tests.property.comparing import calls, changes, differences, published
from tests.property.histories import Run, Step, TakenBack, taken_back
from tests.property.playing import Played
from tests.property.test_lake_equals_oracle import CLOSED, OPEN, UNLIMITED, tried

if TYPE_CHECKING:
    from pathlib import Path

    from dbt.contracts.graph.manifest import Manifest


def end(work: Path, manifest: Manifest, steps: tuple[Step, ...], last: Run, now: datetime) -> dict[str, list[TableRow]]:
    """Every table that counts, and every call of the guardrail, after a history and one last run."""
    played = Played(lake=Lake(work=work, manifest=manifest, now=OPEN, checks=False))
    played.play(*steps)
    played.lake.now = max(played.lake.now, now)
    played.play(last)
    assert differences(played.lake, played.expected()) == []
    return published(played.lake) | calls(played.lake)


@UNLIMITED
@tried(2)
@given(history=taken_back(), watch=st.booleans(), now=st.sampled_from((OPEN, CLOSED)))
def test_a_load_that_is_taken_back_leaves_no_trace(
    tmp_path_factory: pytest.TempPathFactory, manifest: Manifest, history: TakenBack, watch: bool, now: datetime
) -> None:
    work = tmp_path_factory.mktemp("taken_back")
    after = end(work / "with", manifest, history.steps, Run(watch=watch), now)
    never = end(work / "without", manifest, history.without, Run(watch=watch), now)
    assert changes(never, after) == []
    shutil.rmtree(work)
