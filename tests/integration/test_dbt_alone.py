"""`dbt build` without the command line around it: the whole graph on a new warehouse, twice, and job by job."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.dbt_runs import PROJECT, dbt_settings
from tests.integration.lines import entry, kst, three_days
from tests.lakes import Lake

D1, D2, D3 = (date(2026, 3, day) for day in range(2, 5))

SALT = "salt-that-nobody-may-read"
LINES = three_days(D1, *[entry(f"mint_{day}", "treasury", "MINT", 5, kst(day, "12:00:00")) for day in (D2, D3)])
OF_CONTROLS = (
    "gold.recon_daily_snapshot_flow",
    "gold.ledger_supply_balance_daily",
    "gold.ops_payment_failure_daily",
    "gold.ops_payment_refund_daily",
    "gold.ops_ledger_pairing_quality_daily",
    "gold.admin_tx_search",
)


def build(lake: Lake, *arguments: str) -> list[str]:
    """Run dbt build as jobs do, without unit tests, in this process; returns what failed."""
    from dbt.cli.main import dbtRunner

    command = ["build", "--exclude-resource-type", "unit_test", "--log-level", "none", "--no-write-json", *arguments]
    with dbt_settings(PROJECT, lake.warehouse):
        result = dbtRunner(manifest=lake.manifest).invoke(command)
    assert result.result is not None, result.exception
    good = {"success", "pass", "no-op"}  # exposures are no-ops
    return [f"{node.node.name}: {node.message}" for node in result.result if node.status not in good]


def rows(lake: Lake, *, clocks: bool) -> dict[str, list[str]]:
    """Rows of every table with a contract, sorted; those of tiles and of the state, which each run moves on, apart."""
    found = {}
    for node in lake.manifest.nodes.values():
        if node.resource_type != "model" or not node.config.contract.enforced or node.name == "pipeline_state":
            continue
        columns = list(node.columns) if clocks else []
        where = "window_kind = 'day'" if node.name == "dq_status" else "true"
        if node.name == "exception_ledger":
            where = "window_end_ts is null or window_end_ts - window_start_ts = interval 1 day"
        name = f"{node.schema}.{node.alias}"
        found[name] = sorted(str(list(row.values())) for row in lake.table(name, columns, where))
    return found


@dataclass(frozen=True, kw_only=True)
class Alone:
    """A warehouse built by dbt alone; what the command printed on the empty one, and rows after two later builds."""

    lake: Lake
    printed: str
    failed: list[str]
    failed_again: list[str]
    first: dict[str, list[str]]
    second: dict[str, list[str]]


@pytest.fixture(scope="module")
def alone(new_lake: Callable[..., Lake]) -> Alone:
    lake = new_lake()
    command = subprocess.run(
        [str(Path(sys.executable).parent / "dbt"), "build", "--no-use-colors"],
        cwd=PROJECT,
        env=os.environ | {"PLURA_DUCKDB_PATH": str(lake.warehouse), "ANON_USER_KEY_SALT": SALT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert command.returncode == 0, command.stdout[-3000:]
    lake.load(LINES)
    failed = build(lake)
    first = rows(lake, clocks=True)
    failed_again = build(lake)
    return Alone(
        lake=lake,
        printed=command.stdout,
        failed=failed,
        failed_again=failed_again,
        first=first,
        second=rows(lake, clocks=True),
    )


def test_the_whole_graph_with_unit_tests_passes_on_a_new_warehouse_without_data(alone: Alone) -> None:
    """Not even Bronze exists before; nothing is skipped and nothing warns."""
    summary = re.search(r"PASS=(\d+) WARN=0 ERROR=0 SKIP=0 NO-OP=\d+ TOTAL=\d+", alone.printed)
    assert summary is not None, alone.printed[-500:]
    unit_tests = [node for node in alone.lake.manifest.unit_tests.values() if node.config.enabled]
    assert len(re.findall(r" PASS \S+::test_", alone.printed)) == len(unit_tests)


@pytest.mark.usefixtures("alone")
def test_the_salt_is_in_no_artifact_and_no_log() -> None:
    """Not even in the compiled SQL, of which dbt docs are made."""
    folders = (Path(os.environ["DBT_TARGET_PATH"]), Path(os.environ["DBT_LOG_PATH"]))
    written = {file: file.read_bytes() for folder in folders for file in folder.rglob("*") if file.is_file()}
    assert {"manifest.json", "run_results.json", "fact_payment_anonymized.sql", "dbt.log"} <= {
        file.name for file in written
    }
    assert [file for file, content in written.items() if SALT.encode() in content] == []


def test_the_whole_graph_passes_on_data_and_computes_all_closed_days(alone: Alone) -> None:
    """Run id and instant are dbt's own; the day of the last snapshot is closed as well."""
    assert alone.failed == []
    assert alone.lake.sql(
        "select date_kst, user_id, verdict from gold.recon_daily_snapshot_flow where verdict <> 'OK' order by all"
    ) == [(D2, "bob", "DRIFT"), (D2, "treasury", "UNRECONCILED"), (D3, "treasury", "UNRECONCILED")]
    run_ids = alone.lake.sql("select distinct run_id from gold.pipeline_day")
    assert len(run_ids) == 1
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", run_ids[0][0])


def test_a_second_build_changes_no_row(alone: Alone) -> None:
    """Not even run ids and instants."""
    assert alone.failed_again == []
    assert alone.second == alone.first


def test_what_silver_changes_beside_a_run_of_controls_and_analytics_is_left_to_the_next(
    new_lake: Callable[..., Lake],
) -> None:
    """Jobs of a workspace share no lock: Silver runs between the first node of the others and their last."""
    lake = new_lake(checks=False)
    lake.load(LINES)
    assert build(lake) == []
    lake.load({"transaction_ledger": [entry("on time", "alice", "CHARGE", 1, kst(D2, "10:00:00"))]})
    assert build(lake, "--selector", "pipeline_silver") == []
    days = (
        "int_controls_input",
        "int_controls_requested_days",
        "int_altered_day_ranges",
        "int_controls_days",
        "int_analytics_input",
        "int_analytics_days",
    )
    assert build(lake, "--select", *days) == []
    lake.load({"transaction_ledger": [entry("late", "alice", "CHARGE", 1, kst(D3, "10:00:00"))]})
    assert build(lake, "--selector", "pipeline_silver") == []
    of_controls = "select tx_id from gold.admin_tx_search where tx_id in ('on time', 'late') order by tx_id desc"
    assert build(lake, "--select", "tag:pipeline_b", "tag:pipeline_c", "--exclude", *days) == []
    assert lake.sql(of_controls) == [("on time",)]
    assert build(lake) == []
    assert lake.sql(of_controls) == [("on time",), ("late",)]


def test_each_pipeline_is_a_job_of_its_own(alone: Alone, new_lake: Callable[..., Lake]) -> None:
    """One invocation per selector, controls before the guardrail ever ran; together they give what one build gives."""
    lake = new_lake()
    lake.load(LINES)
    jobs = ("rules", "pipeline_silver", "pipeline_b", "pipeline_a", "pipeline_c")
    for job in jobs:
        assert build(lake, "--selector", job) == [], job
    states: list[tuple[Any, ...]] = lake.sql("select pipeline_name, status from gold.pipeline_state order by all")
    assert states == [(name, "success") for name in ("pipeline_a", "pipeline_b", "pipeline_c", "pipeline_silver")]
    whole, parts = rows(alone.lake, clocks=False), rows(lake, clocks=False)
    for name in (*OF_CONTROLS, "silver.ledger_entries", "gold.fact_payment_anonymized"):
        assert parts[name] == whole[name], name


@pytest.mark.parametrize(("given", "is_watched"), [("true", True), ("false", False), ("'false'", False)])
def test_dbt_alone_watches_only_on_request(new_lake: Callable[..., Lake], given: str, *, is_watched: bool) -> None:
    """The lines ended months ago; the value may come as text."""
    lake = new_lake(checks=False)
    lake.load(LINES)
    assert build(lake, "--selector", "pipeline_a", "--vars", f"{{watch: {given}}}") == []
    tiles = "select count(*) > 0 from silver.dq_status where window_kind = 'tile'"
    later = "select max(date_kst) > ? from gold.pipeline_day where pipeline_name = 'pipeline_a'"
    assert (lake.sql(tiles), lake.sql(later, [D3])) == ([(is_watched,)], [(is_watched,)])
