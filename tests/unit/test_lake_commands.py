"""What the commands of the lake print, with the twin of the lake in memory. No warehouse, no dbt."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from plura.cli import lake as commands
from plura.cli import lake_batches, lake_publish
from python_jobs.lakes.memory_lake import MemoryLake
from tests.commands import Plura
from tests.dbt_runs import PROJECT
from tests.eventhub import event
from tests.loads import GOOD, content


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> MemoryLake:
    """The twin, in place of the lake of any target."""
    twin = MemoryLake(project_dir=PROJECT)
    for module in (commands, lake_batches, lake_publish):
        monkeypatch.setattr(module, "lake_of", lambda *_: twin)
    return twin


@pytest.fixture
def plura(tmp_path: Path, lake: MemoryLake) -> Plura:
    """The command on the twin."""
    assert not lake.requests
    return Plura(work=tmp_path, settings={})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one file of one line."""
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "transaction_ledger.jsonl").write_bytes(content([GOOD["transaction_ledger"]]))
    return folder


def test_a_load_prints_counts_and_the_next_command(plura: Plura, folder: Path) -> None:
    outcome = plura("lake", "load", folder, "--no-validate", "--target", "duckdb")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        f"{folder}: 1 lines; files: 1 loaded",
        "next: plura lake run --from 2026-02-01 --to 2026-02-01 --target duckdb",
    ]
    assert plura("lake", "load", folder, "--no-validate").out == f"{folder}: 0 lines; files: 1 loaded before\n"


def test_a_run_passes_on_what_was_asked_for(plura: Plura, folder: Path, lake: MemoryLake) -> None:
    plura("lake", "load", folder, "--no-validate")
    options = ("--date", "2026-02-01", "--pipeline", "silver, controls", "--run-id", "run_1")
    outcome = plura("lake", "run", *options, "--as-of", "2026-02-03T00:00:00Z")
    assert outcome.code == 0
    assert outcome.out.splitlines() == [
        "run run_1 of silver, controls succeeded in 0.0 s",
        "next: plura lake report",
    ]
    (request,) = lake.requests
    assert (request.first_day, request.last_day) == (date(2026, 2, 1), date(2026, 2, 1))
    assert (request.pipelines, request.watch, request.run_id) == (("silver", "controls"), False, "run_1")


def test_batches_are_withdrawn_and_listed(plura: Plura, folder: Path, lake: MemoryLake) -> None:
    plura("lake", "load", folder, "--no-validate")
    (batch,) = lake.batches()
    outcome = plura("lake", "withdraw", batch.batch_id[:6], "--reason", " wrong ")
    assert outcome.out.splitlines()[0] == (
        f"batch {batch.batch_id} (transaction_ledger_raw, transaction_ledger.jsonl) is withdrawn now"
    )
    listed = plura("lake", "batches").out
    assert batch.batch_id in listed
    assert "withdrawn" in listed
    assert "wrong" in listed


def test_publishing_reports_where_events_went(plura: Plura, folder: Path, lake: MemoryLake) -> None:
    plura("lake", "load", folder, "--no-validate")
    plura.settings["PLURA_EVENTHUB_URL"] = "http://127.0.0.1:9/"
    outcome = plura("lake", "publish")
    assert (outcome.code, outcome.out) == (0, "nothing to deliver to the EventHub 127.0.0.1\n")
    lake.events.add(event(1, "a"), exception_id="a")
    assert plura("lake", "publish", "--dismiss", "0" * 64).error == (
        f"no refused event has the id {'0' * 64}: plura lake publish lists them"
    )


def test_retention_counts_unless_it_is_applied(plura: Plura, folder: Path) -> None:
    plura("lake", "load", folder, "--no-validate")
    assert "would be removed (dry run" in plura("lake", "retention").out
    assert plura("lake", "retention", "--apply").out.endswith("0 rows removed\n")
