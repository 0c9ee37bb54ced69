"""The commands of the README and of the page on runs, in their order: nothing is found that was not planted."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plura.cli import demo
from python_jobs import pipelines
from python_jobs.generate import Fault, GenerateRequest, generate
from tests.commands import Plura
from tests.dbt_runs import PROJECT
from tests.integration.test_dbt_alone import build
from tests.lakes import Lake

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

SECTIONS = (
    ("README.md", "## A day of your own"),
    ("docs/running.md", "## Run a day, a backfill, whatever is due"),
    ("docs/running.md", "## dbt alone"),
)
SMALL = {"--wallets": "60", "--entries": "900"}
"""Sizes in place of those of the pages."""


def commands(page: str, heading: str) -> Iterator[list[str]]:
    """Commands of plura and dbt in the first code block of a section, as lists of words."""
    section = (PROJECT / page).read_text(encoding="utf-8").split(f"{heading}\n", 1)[1]
    block = re.search(r"```sh\n(.*?)```", section, flags=re.DOTALL)
    assert block, heading
    for line in block[1].splitlines():
        words = shlex.split(line, comments=True)
        if words and words[0] in {".venv/bin/plura", ".venv/bin/dbt"}:
            yield [words[0].removeprefix(".venv/bin/"), *words[1:]]


def small(words: list[str], raw: Path) -> list[str]:
    """The same command over few rows and the folder of the test."""
    places = {place + 1: SMALL[word] for place, word in enumerate(words) if word in SMALL}
    return [str(raw) if word == "data/raw" else places.get(place, word) for place, word in enumerate(words)]


def found(lake: Lake) -> list[tuple[Any, ...]]:
    """Every exception that was ever found."""
    return lake.sql("select date_kst, exception_type, source_table, subject from gold.exception_ledger order by all")


@pytest.mark.timeout(900)
def test_the_commands_raise_nothing_on_files_without_faults(
    tmp_path: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipelines, "parse_project", lambda *_: manifest)  # parsed once for all tests
    plura, lake = Plura(work=tmp_path, settings={}), Lake(work=tmp_path, manifest=manifest)
    done = []
    for page, heading in SECTIONS:
        for program, *words in commands(page, heading):
            done.append((program, tuple(words)))
            if program == "dbt":
                assert build(lake, *words[1:]) == [], words
            else:
                outcome = plura(*small(words, tmp_path / "raw"))
                assert (outcome.code, outcome.err) == (0, ""), (words, outcome)
            if words[0] == "build" or words[1] == "run":
                assert found(lake) == [], words
    assert {("plura", ("lake", "run")), ("dbt", ("build",))} <= set(done)
    days = lake.sql("select pipeline_name, min(date_kst), max(date_kst) from gold.pipeline_day group by 1 order by 1")
    assert days == [(name, date(2026, 2, 1), date(2026, 2, 3)) for name in ("pipeline_a", "pipeline_b", "pipeline_c")]


@pytest.mark.timeout(900)
def test_runs_without_days_find_the_faults_of_the_demo_and_nothing_else(lake: Lake, tmp_path: Path) -> None:
    """Old files, and a run today: the time since they ended is no fault."""
    faults = tuple(Fault(kind=kind, day=day) for kind, day in demo.FAULTS)
    raw = tmp_path / "raw"
    generate(GenerateRequest(out=raw, days=3, wallets=60, entries=900, seed=7, first_day=demo.FIRST_DAY, faults=faults))
    expected = json.loads((raw / "truth.json").read_text(encoding="utf-8"))["expected"]["exceptions"]
    lake.now = datetime.now(UTC)
    lake.load_folder(raw)
    lake.run_clean()
    wanted = sorted((row["date_kst"], row["exception_type"], row["source_table"], row["subject"]) for row in expected)
    assert sorted((str(day), *rest) for day, *rest in found(lake)) == wanted != []
    assert build(lake) == []
    lake.run_clean()
    assert sorted((str(day), *rest) for day, *rest in found(lake)) == wanted
