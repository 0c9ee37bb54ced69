"""Faults 45 to 54 of the reference: state, gate, rules, operations; 54 stands for its parity gaps (section 8.7).

One warehouse: the third day is computed first, then the others, the first one again, and Silver once more at an earlier
instant. Quarantine is tolerated, so that the parity gaps can be seen in it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from python_jobs.pipelines import RunRequest, run_pipelines
from python_jobs.retention import retention
from python_jobs.warehouse import LakeError, open_duckdb
from tests.dbt_runs import PROJECT
from tests.integration.lines import Line, entry, instant, item, kst, payment, snapshot, stored
from tests.lakes import Lake

D1, D2, D3, D4, D5 = (date(2026, 3, day) for day in range(2, 7))

RULES = (
    (PROJECT / "seeds" / "rules.csv")
    .read_text(encoding="utf-8")
    .replace('bad_records_rate,,0.01,"{""fail"": 0.01}"', 'bad_records_rate,,1,"{""fail"": 1}"')
)
TOLERANT_FROM_D3 = 'tolerant,ledger,drift_abs,,10,"{""crit"": 10}",,2026-03-03 15:00:00,A drift of 10 is none.\n'
ANOTHER_STATUS = (
    'settled,silver,payment_status_allowed,,,,"[""PAID"", ""SETTLED""]",2026-03-02 15:00:00,A status more.\n'
)

NULL_KEY = '{"order_id": "po_null", "user_id": null, "merchant_name": null, "amount": null, "status": "PAID"}'

LINES: dict[str, list[Line | str]] = {
    # 3, 2 and 5 are lost on the three days; nothing is dated on the second one
    "user_wallets": [
        snapshot("leaky", 100, kst(D1, "00:00:00")),
        snapshot("leaky", 97, kst(D1, "23:00:00")),
        snapshot("leaky", 95, kst(D3, "00:00:00")),
        snapshot("leaky", 90, kst(D4, "00:00:00")),
        snapshot("  ", 1, kst(D1, "00:00:00")),
    ],
    "transaction_ledger": [
        *[entry(f"t{day.day}", "other", "MINT", "1.23", kst(day, "12:00:00")) for day in (D1, D1, D3)],
        entry("\t", "other", "MINT", 1, kst(D1, "12:00:00")),
        entry("t_status", "other", "PAYMENT", 3, kst(D1, "13:00:00"), "po_1"),
    ],
    "payment_orders": [
        payment("po_1", "PAID", 3, kst(D1, "12:00:00"), updated_at=kst(D1, "14:00:00")),
        payment("po_1", "PENDING", 3, kst(D1, "12:00:00"), updated_at=kst(D1, "12:00:00")),
        payment("po_3", "PAID", 1, kst(D3, "12:00:00")),
        NULL_KEY,
    ],
    "order_items": [item(1, 1, 1, 0, 10), item("1.5", 1, 1, 1, 10)],
}


@dataclass(frozen=True, kw_only=True)
class Stated:
    """The warehouse after all runs; state of each pipeline and days computed after each run."""

    lake: Lake
    states: dict[str, dict[str, tuple[Any, ...]]] = field(default_factory=dict)
    days: dict[str, dict[date, str]] = field(default_factory=dict)


def states(lake: Lake) -> dict[str, tuple[Any, ...]]:
    """Status, watermark and run of each pipeline."""
    rows = lake.sql("select pipeline_name, status, last_processed_end, last_run_id from gold.pipeline_state")
    return {row[0]: row[1:] for row in rows}


@pytest.fixture(scope="module")
def stated(new_lake: Callable[..., Lake]) -> Stated:
    lake = new_lake(checks=False, seeds={"rules": RULES})
    result = Stated(lake=lake)

    def run(name: str, *days: date, pipelines: tuple[str, ...] = ("silver", "controls")) -> None:
        lake.run_clean(*days, pipelines=pipelines, run_id=name)
        result.states[name] = states(lake)
        result.days[name] = dict(
            lake.sql("select date_kst, run_id from gold.pipeline_day where pipeline_name = 'pipeline_b'")
        )

    lake.now = instant(D4, "00:10:00")
    lake.load(LINES)
    run("third day", D3, pipelines=("guardrail", "silver", "controls"))
    run("due days", pipelines=("guardrail", "silver", "controls"))
    run("first day again", D1)
    lake.now = instant(D2, "12:00:00")
    run("earlier instant", pipelines=("silver",))
    lake.now = instant(D4, "00:10:00")
    return result


def copy_of(stated: Stated, new_lake: Callable[..., Lake], **options: Any) -> Lake:
    """Another warehouse with the same content."""
    lake = new_lake(**({"checks": False, "seeds": {"rules": RULES}, "now": stated.lake.now} | options))
    shutil.copy(stated.lake.warehouse, lake.warehouse)
    return lake


def test_fault_45_no_watermark_moves_back(stated: Stated) -> None:
    """Neither by a backfill of an old day nor by a run whose clock is behind."""
    ends = {name: {pipeline: row[1] for pipeline, row in found.items()} for name, found in stated.states.items()}
    assert ends["due days"]["pipeline_b"] == stored(D4, "00:00:00")
    assert ends["first day again"]["pipeline_b"] == stored(D4, "00:00:00")
    assert ends["earlier instant"]["pipeline_silver"] == stored(D4, "00:10:00")
    assert stated.states["earlier instant"]["pipeline_silver"][2] == "earlier instant"


def test_fault_46_skipped_days_are_made_up_for_and_a_later_failure_closes_the_gate(
    stated: Stated, new_lake: Callable[..., Lake]
) -> None:
    """The third day was first; the next run without days does the others, the gap included."""
    assert stated.days["third day"] == {D3: "third day"}
    assert stated.days["due days"] == {D1: "due days", D2: "due days", D3: "third day"}
    lake = copy_of(stated, new_lake)
    lake.sql("update gold.pipeline_state set status = 'failure' where pipeline_name = 'pipeline_silver'")
    refused = lake.run(D3, pipelines=["controls"])
    assert any("the last run of pipeline_silver failed" in problem for problem in refused.problems)


def test_fault_47_fixed_clock_offsets_are_safe_behind_the_gate_as_documented(
    stated: Stated, new_lake: Callable[..., Lake]
) -> None:
    """At 00:20 the controls stop when Silver of 00:00 has not finished, or began seconds early; nothing is guessed."""
    lake = copy_of(stated, new_lake, now=instant(D5, "00:20:00"))
    refused = lake.run(D4, pipelines=["controls"])
    assert any("before the end of the days asked for" in problem for problem in refused.problems)
    assert lake.sql("select count(*) from gold.pipeline_day where date_kst = ?", [D4]) == [(0,)]


def test_fault_48_whatever_stops_a_run_leaves_a_failure_and_the_watermark(
    stated: Stated, new_lake: Callable[..., Lake]
) -> None:
    """Rules that cannot be read, and a project that does not even parse."""
    lake = copy_of(stated, new_lake)
    before = states(lake)
    lake.seeds["rules"] = RULES + "odd,ledger,drift_abs,,ten,,,,\n"
    assert not lake.run(pipelines=["silver"], run_id="no rules").succeeded
    assert states(lake)["pipeline_silver"] == ("failure", before["pipeline_silver"][1], "no rules")

    (lake.work / "no_project").mkdir()
    request = RunRequest(
        project_dir=lake.work / "no_project",
        warehouse=lake.warehouse,
        pipelines=("controls",),
        as_of=lake.now,
        run_id="no project",
    )
    with pytest.raises(LakeError, match="does not parse"):
        run_pipelines(request)
    assert states(lake)["pipeline_b"] == ("failure", before["pipeline_b"][1], "no project")


def test_fault_49_a_day_is_checked_by_the_version_of_the_day(stated: Stated, new_lake: Callable[..., Lake]) -> None:
    """A new version needs no closing of the old one, and status sets and signs are data."""
    lake = copy_of(stated, new_lake, seeds={"rules": RULES + TOLERANT_FROM_D3})
    lake.run_clean(D1, D3, pipelines=["controls"])
    assert lake.sql(
        "select date_kst, rule_id, verdict from gold.recon_daily_snapshot_flow where user_id = 'leaky' order by all"
    )[:3] == [
        (D1, "ledger_recon_abs_default", "DRIFT"),
        (D2, "ledger_recon_abs_default", "SUPPRESSED"),
        (D3, "tolerant", "OK"),
    ]
    rules = lake.sql("select metric from gold.dim_rule_scd2 where allowed_values is not null")
    assert {("payment_failed_status",), ("payment_refunded_status",)} <= set(rules)
    assert lake.sql("select sum(abs(supply_sign)) from gold.entry_types") == [(4,)]


def test_fault_50_required_columns_hold_no_null(stated: Stated, new_lake: Callable[..., Lake]) -> None:
    """Every not-null column of a contract is one in the table, and the engine refuses the value."""
    lake = copy_of(stated, new_lake)
    nullable = dict(
        lake.sql(
            "select table_schema || '.' || table_name || '.' || column_name, is_nullable = 'YES'"
            " from information_schema.columns"
        )
    )
    required = {
        f"{node.schema}.{node.alias}.{column.name}"
        for node in lake.manifest.nodes.values()
        if node.resource_type == "model" and node.config.contract.enforced and node.schema != "bronze"
        for column in node.columns.values()
        if any(constraint.type == "not_null" for constraint in column.constraints)
    }
    built = required & nullable.keys()
    assert len(built) > 80
    assert {name for name in built if nullable[name]} == set()
    with pytest.raises(duckdb.ConstraintException):
        lake.sql("insert into silver.ledger_entries select * replace (null as tx_id) from silver.ledger_entries")


def test_fault_51_logs_are_pruned_for_good_and_alerts_have_a_reader(
    stated: Stated, new_lake: Callable[..., Lake]
) -> None:
    """A dry run counts only; purged bad records stay away even when the rows are judged again."""
    lake = copy_of(stated, new_lake)
    count = "select (select count(*) from silver.bad_records), (select count(*) from silver.dq_status)"
    before = lake.sql(count)[0]
    assert min(before) > 0
    later = lake.now + timedelta(days=500)
    with open_duckdb(lake.warehouse) as connection:
        planned = retention(connection, now=later, apply=False)
    assert (planned.bad_records, lake.sql(count)[0]) == (before[0], before)
    with open_duckdb(lake.warehouse) as connection:
        retention(connection, now=later, apply=True)
    kept = lake.sql("select count(*) from silver.dq_status where window_kind = 'day' and dq_tag is not null")
    assert lake.sql(count)[0] == (0, kept[0][0])
    lake.seeds["rules"] = RULES + ANOTHER_STATUS
    lake.run_clean(pipelines=["silver"])
    assert lake.sql(count)[0][0] == 0
    readers = {
        exposure.name
        for exposure in lake.manifest.exposures.values()
        if any("exception_ledger" in name for name in exposure.depends_on.nodes)
    }
    assert any("alert" in name for name in readers), readers


def test_fault_52_runs_are_distinguished_and_a_date_is_enough(stated: Stated) -> None:
    """Two requests of one content have ids of their own; a run that names a day needs no mode."""
    requests = [RunRequest(project_dir=PROJECT, warehouse=stated.lake.warehouse, first_day=D1) for _ in range(20)]
    assert len({request.run_id for request in requests}) == 20
    assert stated.days["first day again"][D1] == "first day again"


def test_fault_54_every_value_is_read_in_one_way(stated: Stated) -> None:
    """The parity gaps: quantity 0, blank ids, exact decimals, tag, status, null keys, ids that are no whole numbers."""
    lake = stated.lake
    assert lake.sql("select item_id, quantity from silver.order_items") == [(1, 0)]
    assert lake.sql("select source_table, reason from silver.bad_records order by all") == [
        ("silver.ledger_entries", "missing_tx_or_wallet"),
        ("silver.order_events", "invalid_amount"),
        ("silver.order_items", "invalid_item_id"),
        ("silver.wallet_snapshot", "missing_user_id"),
    ]
    assert lake.sql("select record_json from silver.bad_records where reason = 'invalid_amount'") == [(NULL_KEY,)]
    assert lake.sql("select distinct amount from silver.ledger_entries where entry_type = 'MINT'") == [
        (Decimal("1.23"),)
    ]
    assert lake.sql("select status from silver.ledger_entries where tx_id = 't_status'") == [("PAID",)]
    # of DUP_SUSPECTED and CONTRACT_VIOLATION of one day the first, not the alphabetically smaller
    kinds = (
        "select distinct exception_type from gold.exception_ledger where date_kst = ? and domain = 'dq' order by all"
    )
    assert ("CONTRACT_VIOLATION",) in lake.sql(kinds, [D1])
    assert lake.sql("select dq_tag from gold.ledger_supply_balance_daily where date_kst = ?", [D1]) == [
        ("DUP_SUSPECTED",)
    ]
