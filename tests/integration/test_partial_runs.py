"""Runs of a part of the graph: what they leave out is made up for later, or they are refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date

import pytest

from tests.dbt_runs import PROJECT, dbt_settings
from tests.integration.lines import entry, kst, three_days
from tests.integration.test_dbt_alone import build, rows
from tests.lakes import Lake

D1 = date(2026, 3, 2)
LATE = {"transaction_ledger": [entry("late", "bob", "PAYMENT", 3, kst(D1, "11:00:00"))]}

LEFT_OUT = {
    "change_log": "pipeline_silver",
    "bad_records": "pipeline_silver",
    "ledger_entries": "pipeline_silver",
    "dq_status": "pipeline_a",
    "recon_daily_snapshot_flow": "pipeline_b",
    "ledger_supply_balance_daily": "pipeline_b",
    "wallet_balance_daily": "pipeline_b",
    "admin_tx_search": "pipeline_b",
    "fact_payment_anonymized": "pipeline_c",
}


@pytest.fixture(scope="module")
def late(new_lake: Callable[..., Lake]) -> Lake:
    """A lake that was built, and an entry that came late."""
    lake = new_lake(checks=False)
    lake.load(three_days(D1))
    assert build(lake) == []
    lake.load(LATE)
    return lake


def refusal(lake: Lake, *arguments: str) -> str:
    """Why dbt does not begin a build."""
    from dbt.cli.main import dbtRunner

    with dbt_settings(PROJECT, lake.warehouse):
        result = dbtRunner(manifest=lake.manifest).invoke(["build", "--log-level", "none", *arguments])
    assert result.result is None
    return str(result.exception)


@pytest.mark.parametrize("model", LEFT_OUT)
def test_a_run_that_would_record_as_done_what_it_leaves_out_is_refused(late: Lake, model: str) -> None:
    """Its rows would be missing for ever, after a green run."""
    before = rows(late, clocks=True)
    assert f"{LEFT_OUT[model]} cannot run without {model}: " in refusal(late, "--exclude", model)
    assert rows(late, clocks=True) == before


@pytest.mark.parametrize("first", ["int_controls_input", "int_controls_days"])
def test_a_run_of_a_first_and_the_last_node_alone_is_refused(late: Lake, first: str) -> None:
    why = refusal(late, "--select", first, "int_controls_completed_days")
    assert "pipeline_b cannot run without admin_tx_search, " in why
    assert ", int_control_exceptions, " in why


@pytest.mark.parametrize(
    "parts",
    [
        [("--select", "ledger_entries")],
        [("--select", "+recon_daily_snapshot_flow")],
        [("--selector", "pipeline_silver"), ("--select", "tag:pipeline_b", "--exclude", "int_controls_completed_days")],
        [("--exclude", "exception_ledger")],
    ],
    ids=lambda parts: ", ".join(" ".join(part) for part in parts),
)
def test_the_next_build_makes_up_for_what_a_part_left_undone(
    late: Lake, lake: Lake, parts: list[tuple[str, ...]]
) -> None:
    shutil.copy(late.warehouse, lake.warehouse)
    for part in parts:
        assert build(lake, *part) == []
    assert build(lake) == []
    assert lake.sql("select tx_id from gold.admin_tx_search where tx_id = 'late'") == [("late",)]
    of_bob = "select verdict from gold.recon_daily_snapshot_flow where user_id = 'bob' and date_kst = ?"
    assert lake.sql(of_bob, [D1]) == [("DRIFT",)]
    assert (D1, "RECON_DRIFT_HIGH", "CRITICAL", None, "bob") in lake.exceptions()
