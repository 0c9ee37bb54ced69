"""The dbt commands of the Databricks jobs, run on DuckDB in the order of the workflow, and on their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from tests.bundle import dbt_commands, jobs
from tests.dbt_runs import PROJECT, dbt_settings
from tests.integration.lines import entry, kst, three_days
from tests.lakes import Lake

D1, D2, D3 = (date(2026, 3, day) for day in range(2, 5))

LINES = three_days(D1, entry("mint", "treasury", "MINT", 5, kst(D2, "12:00:00")))
WORKFLOW = tuple(task["task_key"] for task in jobs()["end_to_end"]["tasks"])


def start(lake: Lake, job: str, *, run: int, days: tuple[str, str] = ("", "")) -> list[str]:
    """Run the commands of a job as a task of Databricks does; returns what failed."""
    from dbt.cli.main import dbtRunner

    given = {"job.run_id": str(run), "job.parameters.date_from": days[0], "job.parameters.date_to": days[1]}
    for key, words in dbt_commands():
        if key != job or words[1] == "deps":
            continue
        command = [word if word != "databricks" else "duckdb" for word in words[1:]]
        for name, value in given.items():
            command = [word.replace(f"{{{{{name}}}}}", value) for word in command]
        with dbt_settings(PROJECT, lake.warehouse):
            result = dbtRunner(manifest=lake.manifest).invoke([*command, "--log-level", "none", "--no-write-json"])
        if result.result is None:
            return [str(result.exception)]
        if failed := [
            f"{outcome.node.name}: {outcome.message}"
            for outcome in result.result
            if outcome.status not in {"success", "pass", "no-op"}
        ]:
            return failed
    return []


def states(lake: Lake) -> list[tuple[Any, ...]]:
    return lake.sql("select pipeline_name, status, last_run_id from gold.pipeline_state order by all")


@dataclass(frozen=True, kw_only=True)
class Worked:
    """A warehouse after one workflow: run 1 is sync_rules, run 5 analytics. ``refused``: controls before Silver."""

    lake: Lake
    refused: list[str]


@pytest.fixture(scope="module")
def worked(new_lake: Callable[..., Lake]) -> Worked:
    lake, refused = new_lake(), []
    lake.load(LINES)
    for run, job in enumerate(WORKFLOW, start=1):
        if job == "silver":
            refused = start(lake, "controls", run=99)
        assert start(lake, job, run=run) == [], job
    return Worked(lake=lake, refused=refused)


def test_controls_refuse_to_run_before_silver_and_run_in_a_later_attempt(worked: Worked) -> None:
    (why,) = {text.split(" cannot run: ")[1].splitlines()[0] for text in worked.refused if "UpstreamReadiness" in text}
    assert why == "pipeline_silver has never succeeded."


def test_the_workflow_computes_all_closed_days_and_names_the_runs(worked: Worked) -> None:
    assert states(worked.lake) == [
        ("pipeline_a", "success", "databricks_2"),
        ("pipeline_b", "success", "databricks_4"),
        ("pipeline_c", "success", "databricks_5"),
        ("pipeline_silver", "success", "databricks_3"),
    ]
    assert worked.lake.sql(
        "select date_kst, user_id, verdict from gold.recon_daily_snapshot_flow where verdict = 'DRIFT'"
    ) == [(D2, "bob", "DRIFT")]
    assert worked.lake.sql("select category from gold.fact_payment_anonymized") == [("BEANS",)]


def test_a_day_again_changes_nothing_but_the_runs(worked: Worked) -> None:
    tables = ("gold.recon_daily_snapshot_flow", "gold.exception_ledger", "gold.fact_payment_anonymized")
    before = {name: sorted(map(str, worked.lake.table(name))) for name in tables}
    for run, job in enumerate(("silver", "controls", "analytics"), start=11):
        assert start(worked.lake, job, run=run, days=(str(D1), str(D2))) == [], job
    assert {name: sorted(map(str, worked.lake.table(name))) for name in tables} == before
    assert [run for _, _, run in states(worked.lake)] == [
        "databricks_2",
        "databricks_12",
        "databricks_13",
        "databricks_11",
    ]
