"""The running day: ten-minute tiles raise alarms as the source dries up and drop them as it flows again."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from python_jobs.generate import Fault, GenerateRequest, generate
from tests.lakes import Lake

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

LEDGER = "bronze.transaction_ledger_raw"
FIRST = date(2026, 2, 1)
SECOND_STARTS = datetime(2026, 2, 1, 15, tzinfo=UTC)
TILE = timedelta(minutes=10)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> tuple[Lake, datetime, datetime]:
    """A busy day watched from its start to its end, and the hour in which the ledger lost its lines."""
    work = tmp_path_factory.mktemp("live")
    faults = (Fault(kind="dropped_window", day=2, hours=1),)
    generate(
        GenerateRequest(out=work / "raw", days=2, wallets=600, entries=50_000, seed=5, first_day=FIRST, faults=faults)
    )
    # all lines are there from the start, dated to the end of the day: a line from the future would be quarantined
    lake = Lake(work=work, manifest=manifest, now=SECOND_STARTS + timedelta(days=1))
    lake.load_folder(work / "raw")
    lake.now = SECOND_STARTS
    lake.run_clean(pipelines=["guardrail"], watch=True)
    dropped = json.loads((work / "raw" / "truth.json").read_text())["faults"][0]
    low, high = (datetime.fromisoformat(dropped[key]).replace(tzinfo=None) for key in ("from", "to"))
    lake.now = high.replace(tzinfo=UTC)
    lake.run_clean(pipelines=["guardrail"], watch=True)
    return lake, low, high


def test_only_the_tiles_without_lines_raise_and_they_stay_open(watched: tuple[Lake, datetime, datetime]) -> None:
    lake, low, high = watched
    rows = lake.sql(
        "select source_table, exception_type, severity, window_start_ts, window_end_ts from gold.exception_ledger"
        " where resolved_at is null and window_end_ts - window_start_ts = interval 10 minute order by window_start_ts"
    )
    assert rows
    assert {source for source, *_ in rows} == {LEDGER}
    assert {kind for _, kind, *_ in rows} == {"SOURCE_STALE", "EVENT_DROP_SUSPECTED"}
    assert all(low < end and start < high for *_, start, end in rows)
    # an hour holds at least five whole tiles; the first empty one warns, the third is critical
    drops = [severity for _, kind, severity, *_ in rows if kind == "EVENT_DROP_SUSPECTED"]
    assert drops[:3] == ["WARN", "WARN", "CRITICAL"]
    assert len(drops) >= 5


def test_a_run_between_two_ends_of_tiles_adds_nothing(watched: tuple[Lake, datetime, datetime]) -> None:
    lake, _, _ = watched
    before = lake.sql("select count(*), max(generated_at) from silver.dq_status")
    lake.run_clean(pipelines=["guardrail"], watch=True)
    assert lake.sql("select count(*), max(generated_at) from silver.dq_status") == before


def test_the_next_clean_tile_resolves_them(watched: tuple[Lake, datetime, datetime]) -> None:
    lake, _, high = watched
    lake.now = (high + 2 * TILE).replace(tzinfo=UTC)
    lake.run_clean(pipelines=["guardrail"], watch=True)
    assert lake.sql("select count(*) from gold.exception_ledger where resolved_at is null") == [(0,)]
    assert lake.sql("select distinct resolution from gold.exception_ledger") == [("CLEARED",)]


def test_tiles_are_complete_aligned_and_each_written_once(watched: tuple[Lake, datetime, datetime]) -> None:
    lake, _, _ = watched
    tiles = lake.sql(
        "select source_table, window_start_ts, count(*) from silver.dq_status where window_kind = 'tile' group by all"
    )
    assert {count for *_, count in tiles} == {1}
    starts = sorted(start for source, start, _ in tiles if source == LEDGER)
    first = SECOND_STARTS.replace(tzinfo=None) - TILE
    assert starts == [first + n * TILE for n in range(len(starts))]
    assert starts[-1] + TILE <= lake.now.replace(tzinfo=None) < starts[-1] + 2 * TILE
