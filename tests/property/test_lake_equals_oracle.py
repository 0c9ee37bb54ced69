"""Whatever arrives in whatever order and whenever runs happen, Silver and Gold are the oracle's, and those of one run.

The suite tries a few histories, always the same ones. PLURA_EXAMPLES=200 tries that many, other ones each time, and
cuts down the first that fails.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from tests.lakes import Lake
from tests.property.arrivals import Line
from tests.property.comparing import changes, differences, published
from tests.property.eventful import AFTER_FIRST_LOAD, AFTER_SECOND_LOAD, BEFORE_FIRST_RUN, BEFORE_SECOND_RUN
from tests.property.histories import Killed, Run, Step, distinct_versions, histories, split
from tests.property.playing import Played

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

OPEN = datetime(2026, 3, 5, 4, tzinfo=UTC)
"""The fourth day of the histories is running."""
CLOSED = datetime(2026, 3, 10, tzinfo=UTC)
"""All their days are over."""


WANTED = os.environ.get("PLURA_EXAMPLES")
UNLIMITED = pytest.mark.timeout(0 if WANTED else 600)


def tried(examples: int) -> settings:
    """How many examples are tried, and which."""
    return settings(
        max_examples=int(WANTED) if WANTED else examples,
        derandomize=not WANTED,
        phases=[Phase.generate, Phase.shrink] if WANTED else [Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


class Lakes:
    """Empty warehouses, one after the other."""

    def __init__(self, factory: pytest.TempPathFactory, manifest: Manifest) -> None:
        self._factory = factory
        self._manifest = manifest

    @contextmanager
    def empty(self, now: datetime, *, checks: bool = False) -> Iterator[Played]:
        """A warehouse for the time of the block."""
        work = self._factory.mktemp("history")
        yield Played(lake=Lake(work=work, manifest=self._manifest, now=now, checks=checks))
        shutil.rmtree(work)


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Lakes:
    return Lakes(tmp_path_factory, manifest)


def assert_right_again_and_from_scratch(played: Played) -> None:
    """After a run of everything: the oracle's tables; nothing changes in a rerun; a run from scratch gives the same."""
    assert differences(played.lake, played.expected()) == []
    there, with_clocks = published(played.lake), published(played.lake, clocks=True)
    computed = played.computed
    played.play(Run())
    assert changes(with_clocks, published(played.lake, clocks=True)) == []
    played.start_over()
    played.play(Run())
    assert differences(played.lake, played.expected(), logs=True) == []
    if played.computed == computed:
        assert changes(there, published(played.lake)) == []


@UNLIMITED
@tried(2)
@given(steps=histories())
def test_any_history_of_loads_and_runs_gives_the_tables_of_the_oracle_and_of_one_run(
    lakes: Lakes, steps: list[Step]
) -> None:
    assume(sum(isinstance(step, Run | Killed) for step in steps) > 1)
    with lakes.empty(OPEN) as played:
        played.play(*steps)
        played.lake.now = max(played.lake.now, CLOSED)
        played.play(Run())
        assert_right_again_and_from_scratch(played)


@UNLIMITED
@tried(2)
@given(
    lines=distinct_versions(), random=st.randoms(use_true_random=False), cuts=st.lists(st.integers(1, 60), max_size=3)
)
def test_the_order_of_arrival_decides_nothing_where_version_times_differ(
    lakes: Lakes, lines: list[tuple[str, Line]], random: Random, cuts: list[int]
) -> None:
    assume(len(lines) > 8)
    shuffled = random.sample(lines, len(lines))
    with lakes.empty(CLOSED) as at_once, lakes.empty(CLOSED) as bit_by_bit:
        at_once.play(*split(lines, []), Run())
        for load in split(shuffled, cuts):
            bit_by_bit.play(load, Run())
        assert differences(bit_by_bit.lake, bit_by_bit.expected()) == []
        if at_once.computed == bit_by_bit.computed:  # a later version can move a row out of the days there were
            assert changes(published(at_once.lake), published(bit_by_bit.lake)) == []


def test_an_eventful_history_passes_the_data_tests_of_a_full_build(lakes: Lakes) -> None:
    with lakes.empty(AFTER_FIRST_LOAD, checks=True) as played:
        played.play(*BEFORE_FIRST_RUN, Run(), *BEFORE_SECOND_RUN)
        played.lake.now = AFTER_SECOND_LOAD
        played.play(Run())
        assert_right_again_and_from_scratch(played)
