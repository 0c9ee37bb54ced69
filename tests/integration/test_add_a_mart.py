"""docs/add-a-mart.md, followed line by line in a copy of the project; then one run fails, and no day is lost."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from python_jobs.pipeline_names import PIPELINES
from python_jobs.pipelines import RunRequest, RunResult, parse_project, run_pipelines
from tests.dbt_runs import PROJECT, invoke_dbt
from tests.integration.lines import entry, instant, kst, snapshot
from tests.lakes import Lake, dbt_flags

PAGE = (PROJECT / "docs" / "add-a-mart.md").read_text(encoding="utf-8")
MART = "ops_wallet_activity_daily"
COMPLETED = "models/controls/steps/int_controls_completed_days.sql"
D1, D2, D3, D4 = (date(2026, 3, day) for day in range(2, 6))


def blocks(language: str) -> list[str]:
    """Code blocks of the page in one language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@dataclass(kw_only=True)
class Copy:
    """A copy of the project and a warehouse over it."""

    project: Path
    lake: Lake

    def append(self, file: str, text: str) -> None:
        """Append a block of the page to a file that the page names."""
        assert f"`{file}`" in PAGE
        path = self.project / file
        path.write_text(path.read_text(encoding="utf-8").rstrip("\n") + "\n\n" + text, encoding="utf-8")

    def add_the_mart(self, *, to_completion: bool) -> None:
        """Steps 1 to 4 of the page."""
        model, line = blocks("sql")
        contract, unit_test = blocks("yaml")
        assert f"Write `models/controls/{MART}.sql`" in PAGE
        (self.project / f"models/controls/{MART}.sql").write_text(model, encoding="utf-8")
        self.append("models/controls/_controls__models.yml", contract)
        self.append("models/controls/_controls__unit_tests.yml", unit_test)
        if to_completion:
            self.name_in_completion(line)

    def name_in_completion(self, line: str) -> None:
        """Step 3."""
        assert f"list at the top of `{COMPLETED}`" in " ".join(PAGE.split())
        path = self.project / COMPLETED
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("for model in [\n", f"for model in [\n{line}", 1), encoding="utf-8")

    def run(self, first: date | None = None, last: date | None = None, *pipelines: str) -> RunResult:
        """Run pipelines of the copy, as it is now."""
        request = RunRequest(
            project_dir=self.project,
            warehouse=self.lake.warehouse,
            first_day=first,
            last_day=last,
            as_of=self.lake.now,
            pipelines=pipelines or tuple(PIPELINES),
        )
        manifest = parse_project(self.project, self.lake.warehouse)
        with dbt_flags(checks=False):
            return run_pipelines(request, manifest=manifest)

    def days_of_mart(self) -> list[date]:
        """Days that have rows in the new table."""
        return [day for (day,) in self.lake.sql(f"select distinct date_kst from gold.{MART} order by 1")]

    def days_done(self) -> list[date]:
        """Days that controls have recorded."""
        return [
            day
            for (day,) in self.lake.sql(
                "select date_kst from gold.pipeline_day where pipeline_name = 'pipeline_b' order by 1"
            )
        ]

    def load_day(self, day: date) -> None:
        """The files that close a day come in."""
        self.lake.now = instant(day + timedelta(days=1), "01:00:00")
        self.lake.load(
            {
                "user_wallets": [snapshot("alice", 1, kst(day + timedelta(days=1), "00:00:00"))],
                "transaction_ledger": [entry(f"t_{day}", "alice", "HOLD", 1, kst(day, "12:00:00"))],
            }
        )


@pytest.fixture
def copy(tmp_path: Path, lake: Lake) -> Copy:
    """The project with two days done before anybody thought of the mart."""
    names = ("models", "macros", "seeds", "snapshots", "profiles", "dbt_packages_local", "dbt_packages", "tests/dbt")
    for name in (*names, "dbt_project.yml", "packages.yml", "selectors.yml"):
        source, target = PROJECT / name, tmp_path / "project" / name
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        else:
            shutil.copy(source, target)
    made = Copy(project=tmp_path / "project", lake=lake)
    for day in (D1, D2):
        made.load_day(day)
    assert made.run().problems == ()
    return made


def test_a_newcomer_who_follows_the_page_loses_no_day_when_a_run_fails(copy: Copy) -> None:
    copy.add_the_mart(to_completion=True)
    command, backfill = blocks("sh")
    dbt, *arguments = command.split()
    assert dbt == ".venv/bin/dbt"
    tested = invoke_dbt(arguments, work=copy.lake.work, project=copy.project, warehouse=copy.lake.warehouse)
    assert [result.status for result in tested.result if result.node.resource_type == "unit_test"] == ["pass"]
    assert backfill.split()[:4] == [".venv/bin/plura", "lake", "run", "--from"]
    assert copy.run(D1, D2, "controls").problems == ()
    assert copy.days_of_mart() == [D1, D2]

    model = copy.project / f"models/controls/{MART}.sql"
    good = model.read_text(encoding="utf-8")
    model.write_text(good.replace("count(*)", "count(no_such_column)"), encoding="utf-8")
    copy.load_day(D3)
    (problem,) = copy.run().problems
    assert problem.startswith(f"{MART}: ")
    assert copy.days_done() == [D1, D2]
    model.write_text(good, encoding="utf-8")
    assert copy.run().problems == ()
    copy.load_day(D4)
    assert copy.run().problems == ()
    assert copy.days_of_mart() == copy.days_done() == [D1, D2, D3, D4]


def test_a_mart_that_the_completion_does_not_name_stops_the_run_before_a_day_is_recorded(copy: Copy) -> None:
    copy.add_the_mart(to_completion=False)
    copy.load_day(D3)
    (problem,) = copy.run().problems
    assert problem.startswith(f"int_controls_completed_days: int_controls_completed_days does not await {MART}: ")
    assert copy.days_done() == [D1, D2]
    copy.name_in_completion(blocks("sql")[1])
    assert copy.run().problems == ()
    assert copy.days_of_mart() == [D3]


def test_a_mart_that_returns_days_that_are_not_due_stops_and_stores_no_row_twice(copy: Copy) -> None:
    """A late snapshot makes balances of a day due, and its entries not."""
    copy.add_the_mart(to_completion=True)
    model = copy.project / f"models/controls/{MART}.sql"
    good = model.read_text(encoding="utf-8")
    model.write_text(good.replace("    where entries_due\n", ""), encoding="utf-8")
    assert copy.run(D1, D2, "controls").problems == ()
    copy.lake.load({"user_wallets": [snapshot("alice", 1, kst(D2, "13:00:00"))]})
    (problem,) = copy.run().problems
    assert f"{MART} returns a row outside its scope (int_controls_days where entries_due): date_kst = {D2}" in problem
    assert copy.days_of_mart() == [D1, D2]
    model.write_text(good, encoding="utf-8")
    assert copy.run().problems == ()
    assert copy.lake.sql(f"select date_kst, count(*) from gold.{MART} group by all order by all") == [(D1, 1), (D2, 1)]
