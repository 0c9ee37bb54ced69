"""The reference and the property tests' inputs on both engines: gates, kills, rules that change, odd lines."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import pytest

from python_jobs.pipeline_names import PIPELINES
from python_jobs.pipelines import RunResult
from tests.dbt_runs import PROJECT
from tests.integration.scenarios import EXTRACTED
from tests.lakes import Lake
from tests.property.eventful import BEFORE_FIRST_RUN, BEFORE_SECOND_RUN
from tests.property.playing import Played
from tests.scenario_inputs import SCENARIOS, scenario_files
from tests.spark import Twins

pytestmark = pytest.mark.timeout(1800)  # Spark plans and commits five hundred statements a run


BY_PERSON = {
    "silver.ledger_entries": "wallet_id",
    "silver.wallet_snapshot": "user_id",
    "gold.admin_tx_search": "wallet_id",
}
OF_THE_HISTORY = {"w1", "w2", "w3", "w4"}
"""The wallets of the property tests' history."""


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
        watch: bool = False,
    ) -> RunResult:
        """Run on both engines under one run id; the same nodes must fail."""
        self._ids += 1
        run_id = run_id or f"run_{self._ids}"
        self.twins.bring_bronze()
        on_duckdb = super().run(first_day, last_day, pipelines=pipelines, run_id=run_id, watch=watch)
        on_spark = self.twins.run_on_spark(first_day, last_day, pipelines=pipelines, run_id=run_id, watch=watch)
        assert sorted(on_spark.problems) == sorted(on_duckdb.problems)
        return on_duckdb


@pytest.fixture(scope="module")
def twinned(twins: Twins, tmp_path_factory: pytest.TempPathFactory) -> TwinnedLake:
    """A lake on both engines, which the tests of this module take further one after the other."""
    lake = TwinnedLake(work=tmp_path_factory.mktemp("twinned"), manifest=twins.lake.manifest, checks=False)
    lake.twins, twins.lake = twins, lake
    lake.now = EXTRACTED + timedelta(days=3 * load_scenarios(lake))
    return lake


@pytest.fixture(scope="module")
def played(twinned: TwinnedLake) -> Played:
    """Brings what the property tests play; their rules open the gate."""
    return Played(lake=twinned)


def moved(line: str, number: int) -> str:
    """A line of a scenario on days and with ids that no other scenario has; what is broken in it stays broken."""

    def later(found: re.Match[str]) -> str:
        return f"{date.fromisoformat(found[0]) + timedelta(days=3 * number)}"

    return re.sub(r'("\w*id": "?[a-z_]*)(\d)', rf"\g<1>{10 + number}\2", re.sub(r"2026-\d\d-\d\d", later, line))


def load_scenarios(lake: Lake) -> int:
    """Load all scenarios, three days apart; returns how many there are."""
    for number, name in enumerate(SCENARIOS):
        files = {source: [moved(line, number) for line in lines] for source, lines in scenario_files(name).items()}
        lake.load(files, extracted_at=EXTRACTED + timedelta(days=3 * number))
    return len(SCENARIOS)


def test_reference_scenarios_stop_at_the_gate_alike(twinned: TwinnedLake) -> None:
    stopped = twinned.run()
    assert any(line.startswith("bad-rate gate: silver.ledger_entries has") for line in stopped.problems)
    assert twinned.twins.differences() == []
    assert twinned.twins.session.table("silver.ledger_entries").isEmpty()


def test_they_pass_an_open_gate_alike_and_a_history_with_them(twinned: TwinnedLake, played: Played) -> None:
    played.play(*BEFORE_FIRST_RUN)
    twinned.run_clean()
    assert twinned.twins.differences() == []
    assert len(twinned.sql("select distinct verdict, coverage from gold.recon_daily_snapshot_flow")) > len(PIPELINES)


def test_a_killed_run_that_changes_every_table_ends_alike(twinned: TwinnedLake, played: Played) -> None:
    """On Spark it is killed in the middle before it is let through; what it does not concern stands as it was."""
    twins = twinned.twins
    versions = {table: newest_version(twins, table) for table in BY_PERSON}
    played.play(*BEFORE_SECOND_RUN)
    twinned.now += timedelta(hours=1)
    twins.bring_bronze()
    twins.run_killed_on_spark(after=180, run_id="again")
    leave_half_written(twins, "gold", "int_wallet_range")
    assert twinned.run(run_id="again").problems == ()
    assert twins.differences() == []
    for table, version in versions.items():
        before = twins.session.sql(f"select * from {table} version as of {version}")
        changed = before.exceptAll(twins.session.table(table)).collect()
        assert {row[BY_PERSON[table]] for row in changed} <= OF_THE_HISTORY, table


def leave_half_written(twins: Twins, schema: str, step: str) -> None:
    """Let files lie where a step will be, and no table: what a process leaves that is killed while it writes."""
    place = Path(urlsplit(twins.session.sql(f"describe detail {schema}.{step}").collect()[0]["location"]).path)
    twins.session.sql(f"drop table {schema}.{step}")
    place.mkdir()
    (place / "part-00000-of-a-run-that-is-gone.snappy.parquet").write_bytes(b"PAR1")


def newest_version(twins: Twins, table: str) -> int:
    return int(twins.session.sql(f"describe history {table} limit 1").collect()[0]["version"])


def test_a_full_refresh_changes_no_row_on_spark(twinned: TwinnedLake) -> None:
    """The tables whose history no model can compute again, and one that a model could."""
    from dbt.cli.main import dbtRunner

    twins = twinned.twins
    names = ("exception_ledger", "pipeline_day", "pipeline_state", "change_log", "bad_records", "admin_tx_search")
    tables = [f"{node.schema}.{node.alias}" for node in twins.manifest.nodes.values() if node.name in names]
    assert len(tables) == len(names)
    before = {table: sorted(map(str, twins.session.table(table).collect())) for table in tables}
    assert all(before.values())
    folder = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT / "profiles"), "--target", twins.target]
    command = ["build", "--full-refresh", "--select", *names, "--indirect-selection", "empty", "--no-write-json"]
    environment = {"PLURA_TARGET": twins.target, "PLURA_SPARK_WAREHOUSE": str(twins.folder)}
    with mock.patch.dict(os.environ, environment):
        result = dbtRunner(manifest=twins.manifest).invoke([*command, "--log-level", "none", *folder])
    assert result.success, [node.message for node in result.result]
    after = {table: sorted(map(str, twins.session.table(table).collect())) for table in tables}
    # the change log is appended to: built alone, it logs the changes of the last run once more
    assert set(before["silver.change_log"]) <= set(after.pop("silver.change_log"))
    assert after == {table: rows for table, rows in before.items() if table in after}
