"""The gates: Silver before controls and analytics, tagged days, bad rates; and what a run leaves behind that dies."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pytest

from python_jobs.load import set_batch_status
from python_jobs.pipelines import RunRequest, RunResult
from python_jobs.warehouse import open_duckdb
from tests.dbt_runs import PROJECT
from tests.integration.lines import entry, instant, item, kst, payment, product, snapshot, stored
from tests.lakes import Lake

D1, D2, D3 = (date(2026, 3, day) for day in range(2, 5))
GOLD = (
    "recon_daily_snapshot_flow",
    "ledger_supply_balance_daily",
    "ops_payment_failure_daily",
    "ops_payment_refund_daily",
    "ops_ledger_pairing_quality_daily",
    "admin_tx_search",
    "fact_payment_anonymized",
    "exception_ledger",
    "pipeline_day",
)

LeakyDays = dict[str, list[dict[str, Any]]]


def leaky_lines(*days: date) -> LeakyDays:
    """A wallet that loses 5 each day without an entry, and an entry and a payment of somebody else on each day."""
    start = [*days, date.fromordinal(days[-1].toordinal() + 1)]
    return {
        "user_wallets": [snapshot("leaky", 100 - 5 * n, kst(day, "00:00:00")) for n, day in enumerate(start)],
        "transaction_ledger": [entry(f"t_{day}", "other", "MINT", 1, kst(day, "12:00:00")) for day in days],
        "payment_orders": [payment(f"po_{day.day}", "PAID", 1, kst(day, "12:00:00")) for day in days],
    }


def gold_rows(lake: Lake) -> dict[str, int]:
    """Number of rows in the tables that controls and analytics write."""
    return {table: lake.sql(f"select count(*) from gold.{table}")[0][0] for table in GOLD}


def states(lake: Lake) -> dict[str, tuple[Any, ...]]:
    """Status and watermark of each pipeline that has begun."""
    rows = lake.sql("select pipeline_name, status, last_processed_end from gold.pipeline_state")
    return {name: (status, end) for name, status, end in rows}


def refusals(result: RunResult) -> list[str]:
    """The messages of the hard gate, without their class name."""
    assert all("UpstreamReadinessError: " in problem for problem in result.problems), result.problems
    return sorted(problem.split("UpstreamReadinessError: ")[1] for problem in result.problems)


# The hard gate


@dataclass(frozen=True, kw_only=True)
class Gatekept:
    """Controls and analytics, called before Silver was ready and after: name of the call to what came of it."""

    lake: Lake
    refusals: dict[str, list[str]]
    states: dict[str, dict[str, tuple[Any, ...]]]
    rows: dict[str, dict[str, int]]


@pytest.fixture(scope="module")
def gatekept(new_lake: Callable[..., Lake]) -> Gatekept:
    lake = new_lake(checks=False)
    result = Gatekept(lake=lake, refusals={}, states={}, rows={})
    downstream = ["controls", "analytics"]

    def call(name: str, clock: datetime, *days: date, pipelines: list[str] | None = None) -> None:
        lake.now = clock
        result.refusals[name] = refusals(lake.run(*days, pipelines=pipelines or downstream, run_id=name))
        result.states[name] = states(lake)
        result.rows[name] = gold_rows(lake)

    lake.now = instant(D1, "23:00:00")
    lines = leaky_lines(D1, D2)
    lines["user_wallets"].pop()  # it would lie more than a day ahead
    lake.load(lines)
    call("silver never ran", instant(D2, "00:20:00"), D1)
    call("silver, early", instant(D1, "23:59:50"), pipelines=["silver"])
    call("silver was early", instant(D2, "00:20:00"), D1)
    call("silver", instant(D2, "00:00:00"), pipelines=["silver"])
    call("day is open", instant(D2, "00:20:00"), D1, D2)
    call("day is closed", instant(D2, "00:20:00"), D1)
    lake.load({"products": [product(None, "TEA")]})
    lake.now = instant(D3, "00:00:00")
    assert not lake.run(pipelines=["silver"], run_id="silver failed").succeeded
    call("after a failure", instant(D3, "00:20:00"), D2)
    return result


def test_controls_and_analytics_refuse_before_silver_ever_ran(gatekept: Gatekept) -> None:
    """Nothing is written but the failure, and there is no watermark."""
    assert gatekept.refusals["silver never ran"] == [
        "pipeline_b cannot run: pipeline_silver has never succeeded.",
        "pipeline_c cannot run: pipeline_silver has never succeeded.",
    ]
    assert set(gatekept.rows["silver never ran"].values()) == {0}
    assert gatekept.states["silver never ran"] == {"pipeline_b": ("failure", None), "pipeline_c": ("failure", None)}


def test_a_watermark_before_the_end_of_the_day_is_too_old(gatekept: Gatekept) -> None:
    """Silver ran ten seconds before midnight: what arrived in them is not in it."""
    why = "pipeline_silver has processed arrivals up to 2026-03-02 14:59:50 UTC only, before the end of the days asked"
    assert [refusal.split(": ", 1)[1] for refusal in gatekept.refusals["silver was early"]] == [f"{why} for."] * 2
    assert set(gatekept.rows["silver was early"].values()) == {0}


def test_an_open_day_is_refused_by_name(gatekept: Gatekept) -> None:
    assert gatekept.refusals["day is open"] == [
        "pipeline_b cannot run: the KST day 2026-03-03 is still open.",
        "pipeline_c cannot run: the KST day 2026-03-03 is still open.",
    ]
    assert set(gatekept.rows["day is open"].values()) == {0}


def test_the_gate_opens_when_silver_has_reached_the_end_of_the_day(gatekept: Gatekept) -> None:
    """Silver's watermark is its instant, the others' the end of the last day computed."""
    assert gatekept.refusals["day is closed"] == []
    done = ("success", stored(D2, "00:00:00"))
    assert gatekept.states["day is closed"] == {"pipeline_silver": done, "pipeline_b": done, "pipeline_c": done}
    assert gatekept.lake.sql("select pipeline_name, date_kst, status, run_id from gold.pipeline_day order by all") == [
        ("pipeline_b", D1, "success", "day is closed"),
        ("pipeline_c", D1, "success", "day is closed"),
    ]


def test_a_later_failure_of_silver_closes_the_gate_and_keeps_the_watermarks(gatekept: Gatekept) -> None:
    """The last run counts, not the last success; nothing that was computed is touched."""
    assert gatekept.refusals["after a failure"] == [
        "pipeline_b cannot run: the last run of pipeline_silver failed.",
        "pipeline_c cannot run: the last run of pipeline_silver failed.",
    ]
    assert gatekept.rows["after a failure"] == gatekept.rows["day is closed"]
    assert gatekept.states["after a failure"] == {
        name: ("failure", end) for name, (_, end) in gatekept.states["day is closed"].items()
    }


# The soft gate


@dataclass(frozen=True, kw_only=True)
class Tagged:
    """Verdicts and exceptions of the second day, whose ledger is silent at first; one element per run."""

    recon: list[list[tuple[Any, ...]]]
    supply: list[list[tuple[Any, ...]]]
    exceptions: list[dict[str, tuple[Any, ...]]]


@pytest.fixture(scope="module")
def tagged(new_lake: Callable[..., Lake]) -> Tagged:
    lake = new_lake(checks=False)
    lines = leaky_lines(D1, D2, D3)
    missing = lines["transaction_ledger"].pop(1)
    result = Tagged(recon=[], supply=[], exceptions=[])

    def run(name: str, *pipelines: str) -> None:
        lake.run_clean(D1, D3, pipelines=pipelines, run_id=name)
        columns = "verdict, severity, dq_tag from gold"
        result.recon.append(
            lake.sql(f"select {columns}.recon_daily_snapshot_flow where user_id = 'leaky' and date_kst = ?", [D2])
        )
        result.supply.append(lake.sql(f"select {columns}.ledger_supply_balance_daily where date_kst = ?", [D2]))
        rows = lake.sql(
            "select exception_type, resolution, resolved_at is not null, exception_id, generated_at, run_id"
            " from gold.exception_ledger where domain = 'ledger' and date_kst = ?",
            [D2],
        )
        assert len(rows) == 2
        result.exceptions.append({row[0]: row[1:] for row in rows})

    lake.load(lines)
    run("without day rows", "silver", "controls")
    run("tagged", "guardrail", "silver", "controls")
    lake.load({"transaction_ledger": [missing]})
    lake.now = instant(date(2026, 3, 12), "00:20:00")
    run("cleared", "guardrail", "silver", "controls")
    return result


def test_a_day_without_a_day_row_is_not_gated(tagged: Tagged) -> None:
    """The ledger is as silent as later on, but nobody has said so."""
    assert tagged.recon[0] == [("DRIFT", "CRITICAL", None)]
    assert tagged.supply[0] == [("MISMATCH", "CRITICAL", None)]
    assert {row[:2] for row in tagged.exceptions[0].values()} == {(None, False)}


def test_a_tagged_day_suppresses_verdicts_and_closes_open_exceptions(tagged: Tagged) -> None:
    assert tagged.recon[1] == tagged.supply[1] == [("SUPPRESSED", None, "SOURCE_STALE")]
    assert {row[:2] for row in tagged.exceptions[1].values()} == {("SUPPRESSED", True)}


def test_a_cleared_day_gets_its_verdicts_and_the_same_exceptions_reopen(tagged: Tagged) -> None:
    """Same id, same instant of discovery, no resolution."""
    assert tagged.recon[2] == [("DRIFT", "CRITICAL", None)]
    assert tagged.supply[2] == [("MISMATCH", "CRITICAL", None)]
    for kind, (resolution, is_resolved, exception_id, generated_at, run_id) in tagged.exceptions[2].items():
        assert (resolution, is_resolved, run_id) == (None, False, "cleared")
        assert (exception_id, generated_at) == tagged.exceptions[0][kind][2:4]


# The bad-rate gate


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """A run that the bad-rate gate stops in three tables, and what releases each; one element per run."""

    problems: list[tuple[str, ...]]
    bad_records: list[int]
    rows: list[int]
    states: list[tuple[Any, ...]]
    changes: list[int]


@pytest.fixture(scope="module")
def stopped(new_lake: Callable[..., Lake]) -> Stopped:
    lake = new_lake(checks=False)
    result = Stopped(problems=[], bad_records=[], rows=[], states=[], changes=[])
    tables = ("wallet_snapshot", "ledger_entries", "order_events", "order_items", "products")

    def run() -> None:
        result.problems.append(tuple(sorted(lake.run(pipelines=["silver"]).problems)))
        result.bad_records.append(lake.sql("select count(*) from silver.bad_records")[0][0])
        result.rows.append(sum(lake.sql(f"select count(*) from silver.{table}")[0][0] for table in tables))
        result.states.append(states(lake)["pipeline_silver"])
        result.changes.append(lake.sql("select count(*) from silver.change_log")[0][0])

    def wallets(name: str, count: int) -> list[dict[str, Any]]:
        return [snapshot(f"{name}{n}", 1, kst(D1, "00:00:00")) for n in range(count)]

    lake.now = instant(D2, "00:00:00")
    lake.load(
        {
            "transaction_ledger": [
                entry("bad", "w", "CHARGE", -1, kst(D1, "12:00:00")),
                *[entry(f"t{n}", "w", "CHARGE", 1, kst(D1, "12:00:00")) for n in range(99)],
            ]
        }
    )
    run()
    lake.now = instant(D3, "00:00:00")
    items = lake.load({"order_items": [item(n, n, n, -1 if n == 4 else 1, 1) for n in range(5)]}).files[0].batch_id
    lake.load(
        {
            "user_wallets": [snapshot(None, 1, kst(D1, "00:00:00"))] * 2 + wallets("first", 99),
            "products": [product(n, "TEA", -1 if n == 4 else 1) for n in range(5)],
            "payment_orders": [payment(f"po_{n}", "PAID", 1 if n else -1, kst(D1, "12:00:00")) for n in range(5)],
            "orders": [{"order_id": 1, "total_amount": 1, "status": "PAID", "created_at": kst(D1, "12:00:00")}],
        }
    )
    run()
    run()
    lake.load({"user_wallets": wallets("more", 99)})
    with open_duckdb(lake.warehouse) as connection:
        set_batch_status(connection, items, "withdrawn", reason="wrong file", now=lake.now)
    run()
    rules = (PROJECT / "seeds" / "rules.csv").read_text(encoding="utf-8")
    rules += "lax,silver,bad_records_rate,silver.products,0.2,,,,Products are few.\n"
    lake.seeds["rules"] = rules + "few,silver,bad_records_min_rows,silver.order_events,7,,,,Six prove nothing.\n"
    run()
    return result


def test_a_rate_equal_to_the_threshold_passes(stopped: Stopped) -> None:
    """1 of 100, and the bad one is quarantined."""
    assert stopped.problems[0] == ()
    assert (stopped.rows[0], stopped.bad_records[0]) == (99, 1)


def test_each_table_above_its_threshold_stops_the_run_and_nothing_is_published(stopped: Stopped) -> None:
    """Good rows wait with the bad ones; the bad records are written; the watermark stays."""
    assert [problem.split(" pending rows")[0] for problem in stopped.problems[1]] == [
        "bad-rate gate: silver.order_events has 1 bad of 6",
        "bad-rate gate: silver.order_items has 1 bad of 5",
        "bad-rate gate: silver.products has 1 bad of 5",
        "bad-rate gate: silver.wallet_snapshot has 2 bad of 101",
    ]
    assert (stopped.rows[1], stopped.bad_records[1], stopped.changes[1]) == (99, 6, stopped.changes[0])
    assert stopped.states[0] == ("success", stored(D2, "00:00:00"))
    assert stopped.states[1] == ("failure", stored(D2, "00:00:00"))


def test_rows_stay_pending_and_bad_records_are_not_doubled(stopped: Stopped) -> None:
    assert stopped.problems[2] == stopped.problems[1]
    assert (stopped.rows[2], stopped.bad_records[2]) == (99, 6)


def tables_stopped(stopped: Stopped, run: int) -> list[str]:
    """Silver tables that stopped a run."""
    return [problem.removeprefix("bad-rate gate: silver.").split(" has ")[0] for problem in stopped.problems[run]]


def test_more_good_rows_and_a_withdrawn_batch_release_their_tables(stopped: Stopped) -> None:
    """2 of 200 wallets are no longer above 1 %, and the items are gone."""
    assert tables_stopped(stopped, 2) == ["order_events", "order_items", "products", "wallet_snapshot"]
    assert tables_stopped(stopped, 3) == ["order_events", "products"]


def test_rules_of_a_table_go_before_general_ones_and_release_it(stopped: Stopped) -> None:
    """1 of 5 products equals 0.2, six orders are too few to judge by: everything that waited is published at once."""
    assert tables_stopped(stopped, 4) == []
    assert stopped.rows[4] == 99 + 198 + 4 + 5
    assert stopped.states[4] == ("success", stored(D3, "00:00:00"))


# Runs that are killed

KILLED_RUN = """
import os, pickle, signal, sys
from pathlib import Path
from dbt.contracts.graph.manifest import Manifest
from python_jobs.pipelines import run_pipelines

request, manifest = pickle.loads(Path(sys.argv[1]).read_bytes())


def die(done, total, node):
    if node == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)


run_pipelines(request, manifest=Manifest.from_msgpack(manifest), progress=die)
"""


def run_killed_after(lake: Lake, node: str, run_id: str) -> None:
    """Run Silver and controls in a process that is killed as soon as a node is done."""
    request = RunRequest(
        project_dir=PROJECT,
        warehouse=lake.warehouse,
        pipelines=("silver", "controls"),
        as_of=lake.now,
        run_id=run_id,
    )
    job = lake.work / "job"
    job.write_bytes(pickle.dumps((request, lake.manifest.to_msgpack())))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_RUN, str(job), node],
        cwd=PROJECT,
        env=os.environ | {"DBT_INDIRECT_SELECTION": "empty"},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()


def test_a_killed_run_leaves_a_failure_and_the_next_run_repairs_it(new_lake: Callable[..., Lake]) -> None:
    """Killed while Silver is half published, then while the controls are half written."""
    lake = new_lake(checks=False, now=instant(D3, "00:20:00"))
    lake.load(leaky_lines(D1))
    run_killed_after(lake, "ledger_entries", "killed in Silver")
    assert states(lake) == {"pipeline_silver": ("failure", None), "pipeline_b": ("failure", None)}
    assert gold_rows(lake)["pipeline_day"] == 0
    lake.run_clean(pipelines=["silver", "controls"], run_id="healed")
    found = [kind for day, kind, *_ in lake.exceptions() if day == D1]
    assert found == ["RECON_DRIFT_HIGH", "SUPPLY_MISMATCH"]

    lake.load({"transaction_ledger": [entry("late", "leaky", "PAYMENT", 5, kst(D1, "13:00:00"))]})
    lake.now = instant(D3, "00:40:00")
    run_killed_after(lake, "recon_daily_snapshot_flow", "killed in controls")
    assert states(lake) == {
        "pipeline_silver": ("success", stored(D3, "00:40:00")),
        "pipeline_b": ("failure", stored(D2, "00:00:00")),
    }
    computed_by = "select run_id from gold.pipeline_day where date_kst = ?"
    assert lake.sql(computed_by, [D1]) == [("healed",)]
    lake.run_clean(pipelines=["controls"], run_id="healed again")
    assert lake.sql(computed_by, [D1]) == [("healed again",)]
    assert [kind for day, kind, *_ in lake.exceptions() if day == D1] == ["SUPPLY_MISMATCH"]
