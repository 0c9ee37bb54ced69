"""docs/add-a-rule.md: its blocks are what the catalogue, the file of rules and the page of rules take."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from python_jobs.rules import catalog
from tests.dbt_runs import PROJECT
from tests.rule_files import DEFAULT, read

PAGE = (PROJECT / "docs" / "add-a-rule.md").read_text(encoding="utf-8")
METRIC = "payment_failure_rate"


def block(language: str) -> str:
    """First block of the page in one language; an empty language is that of a block without one."""
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.fixture
def extended(monkeypatch: pytest.MonkeyPatch) -> catalog.Metric:
    """The catalogue with the metric of step 1."""
    entry: dict[str, Any] = eval(f"{{{block('python')}}}", vars(catalog))  # noqa: S307  # our own page
    metric = entry[METRIC]
    assert isinstance(metric, catalog.Metric)
    ledger = {**catalog.METRICS["ledger"], METRIC: metric}
    monkeypatch.setattr("python_jobs.rules.versions.METRICS", {**catalog.METRICS, "ledger": ledger})
    return metric


@pytest.mark.usefixtures("extended")
def test_the_file_is_read_once_the_catalogue_has_the_metric(tmp_path: Path) -> None:
    reading = read(DEFAULT + block("csv"), tmp_path)
    assert reading.faults == ()
    assert [rule.metric for rule in reading.versions if rule.metric == METRIC] == [METRIC]


def test_without_the_catalogue_the_run_stops_with_the_words_of_the_page(tmp_path: Path) -> None:
    (fault,) = read(DEFAULT + block("csv"), tmp_path).faults
    shown = re.search(r"before it starts: `(.*) \(allowed: …\)`", PAGE)
    assert shown is not None
    assert fault.startswith(shown[1])


def test_the_row_of_the_page_of_rules_follows_from_the_catalogue(extended: catalog.Metric) -> None:
    assert extended.numbers is not None
    severities = ", ".join(f"`{severity}`" for severity in extended.severities)
    row = f"| ledger / `{METRIC}` | {extended.purpose} | {extended.numbers.says} | {severities} |  |  |"
    assert row in PAGE.splitlines()


def test_the_model_has_what_the_page_changes() -> None:
    model = (PROJECT / "models" / "controls" / "ops_payment_failure_daily.sql").read_text(encoding="utf-8")
    assert "\nstatus_rule as (" in model
    assert "\nfinal as (" in model
