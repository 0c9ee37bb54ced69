"""Every scenario of the reference, from lines to Gold: the promised outcome, and each table equal to the oracle's.

The lines are our own (tests/scenario_inputs.py).

What the reference makes of a scenario, and why ours differs, stands in docs/decisions/0011-reference-scenarios.md.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from tests.dbt_runs import PROJECT
from tests.integration.scenarios import (
    FIRST,
    LEDGER,
    ORDERS,
    RULES,
    SECOND,
    SILVER,
    WALLETS,
    categories,
    dq_tags,
    net_flows,
    pairing,
    recon,
    run_into_gate,
    run_scenario,
    supply,
    won,
)
from tests.lakes import Lake
from tests.loads import write
from tests.oracle.rules import parse_rules
from tests.scenario_inputs import SCENARIOS, scenario_files

DEFAULT_RULES: dict[str, tuple[str, str, str | int | None, dict[str, str | int]]] = {
    # rule_id: domain, metric, threshold, limits
    "dq_freshness_default": ("dq", "freshness_sec", 300, {"warn": 300, "crit": 600}),
    "dq_dup_txid_default": ("dq", "dup_rate_tx_id", "0.001", {"warn": "0.001", "crit": "0.01"}),
    "dq_completeness_zero_windows_v1": ("dq", "completeness_zero_windows", 3, {"warn": 1, "crit": 3}),
    "dq_contract_bad_records_default": ("dq", "contract_bad_records_rate", "0.01", {"warn": "0.001", "crit": "0.01"}),
    "ledger_recon_abs_default": ("ledger", "drift_abs", 0, {"crit": 0}),
    "ledger_supply_diff_default": ("ledger", "supply_diff_abs", 0, {"crit": 0}),
    "silver_bad_records_default": ("silver", "bad_records_rate", "0.01", {"fail": "0.01"}),
    "silver_entry_type_allowed_v1": ("silver", "entry_type_allowed", None, {}),
    "silver_payment_status_allowed_v1": ("silver", "payment_status_allowed", None, {}),
}
ALLOWED = {
    "silver_entry_type_allowed_v1": "CHARGE WITHDRAW PAYMENT RECEIVE REFUND_OUT REFUND_IN HOLD RELEASE MINT BURN",
    "silver_payment_status_allowed_v1": "PAID PENDING FAILED CANCELLED REFUNDED",
}


def test_every_scenario_has_a_test() -> None:
    """And a line in the document; a scenario that is added needs both."""
    assert set(SCENARIOS) == {
        name.removeprefix("test_scenario_") for name in globals() if name.startswith("test_scenario_")
    }
    document = (PROJECT / "docs" / "decisions" / "0011-reference-scenarios.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| (\w+) \|", document, re.MULTILINE)) == sorted([*SCENARIOS, "scenario"])


@pytest.mark.parametrize("rule_id", DEFAULT_RULES)
def test_default_rules_are_those_of_the_reference(rule_id: str) -> None:
    """Same rule ids with the same threshold, limits and allowed values; ours may name a source besides."""
    domain, metric, threshold, limits = DEFAULT_RULES[rule_id]
    rule = {version.rule_id: version for version in parse_rules(RULES).versions}[rule_id]
    assert (rule.domain, rule.metric) == (domain, metric)
    assert rule.threshold == (None if threshold is None else Decimal(threshold))
    assert rule.limits == {name: Decimal(limit) for name, limit in limits.items()}
    assert list(rule.allowed) == ALLOWED.get(rule_id, "").split()


def test_scenario_one_day_normal(lake: Lake) -> None:
    """No exception: one extract at 09:00 KST with entries after it proves nothing about the wallets that moved."""
    run_scenario(lake, scenario_files("one_day_normal"), FIRST)
    assert lake.exceptions() == []
    assert set(dq_tags(lake).values()) == {(None, None)}
    assert recon(lake) == [
        (FIRST, "payer_1", "STALE_SNAPSHOT", "UNRECONCILED"),
        (FIRST, "saver_1", "FULL", "OK"),
        (FIRST, "shop_1", "STALE_SNAPSHOT", "UNRECONCILED"),
    ]
    assert supply(lake) == [(FIRST, "NO_BASELINE", None)]
    assert [lake.sql(f"select count(*) from silver.{table}")[0][0] for table in SILVER] == [3, 10, 10, 5, 4]
    assert lake.sql("select balance_total, rule_id from silver.wallet_snapshot where user_id = 'payer_1'") == [
        (won("5000.00"), "silver_bad_records_default")
    ]
    assert lake.sql("select amount_signed, status, rule_id from silver.ledger_entries where tx_id = 'out_po_7004'") == [
        (won("-360.00"), "PAID", "silver_entry_type_allowed_v1")
    ]
    assert pairing(lake) == [(FIRST, 10, 0, 1, 1)]
    # po_7001 is commerce order 7001, whose line is a tea
    assert [category for _, _, category in categories(lake)] == [
        "tea",
        "bread",
        "milk",
        "rice",
        "tea",
    ]


def test_scenario_drift_mismatch(lake: Lake) -> None:
    """From one snapshot no drift can be claimed, whatever the ledger moved."""
    run_scenario(lake, scenario_files("drift_mismatch"), FIRST)
    assert recon(lake) == [
        (FIRST, "payer_1", "STALE_SNAPSHOT", "UNRECONCILED"),
        (FIRST, "saver_1", "FULL", "OK"),
        (FIRST, "shop_1", "STALE_SNAPSHOT", "UNRECONCILED"),
    ]
    assert supply(lake) == [(FIRST, "NO_BASELINE", None)]
    assert lake.exceptions() == []


def test_scenario_backfill_two_days(lake: Lake) -> None:
    """Day 1: 320 + 340 + 300 moved between two snapshots that are equal. Day 2 has no snapshot at its end."""
    run_scenario(lake, scenario_files("backfill_two_days"), FIRST, SECOND, extracted_at=None, checks=True)
    assert recon(lake) == [
        (FIRST, "payer_1", "FULL", "DRIFT"),
        (FIRST, "saver_1", "FULL", "OK"),
        (FIRST, "shop_1", "FULL", "DRIFT"),
        (SECOND, "payer_1", "STALE_SNAPSHOT", "UNRECONCILED"),
        (SECOND, "saver_1", "FULL", "OK"),
        (SECOND, "shop_1", "STALE_SNAPSHOT", "UNRECONCILED"),
    ]
    assert lake.exceptions() == [
        (FIRST, "RECON_DRIFT_HIGH", "CRITICAL", None, "payer_1"),
        (FIRST, "RECON_DRIFT_HIGH", "CRITICAL", None, "shop_1"),
    ]
    assert lake.sql("select distinct drift_abs from gold.recon_daily_snapshot_flow where verdict = 'DRIFT'") == [
        (won("960.00"),)
    ]
    assert lake.sql("select count(*), count(distinct (snapshot_ts, user_id)) from silver.wallet_snapshot") == [(6, 6)]
    assert pairing(lake) == [(FIRST, 6, 0, 1, 1), (SECOND, 6, 0, 1, 1)]
    assert lake.sql("select date_kst, total_cnt, failed_cnt from gold.ops_payment_failure_daily order by all") == [
        (FIRST, 3, 0),
        (SECOND, 3, 0),
    ]
    assert [category for _, _, category in categories(lake)] == ["tea", "bread", "milk"] * 2


def test_scenario_supply_mismatch(lake: Lake) -> None:
    """Issued 4000 - 250 against 900 in wallets; the purchase of 09:02 is rolled into the balances and cancels."""
    run_scenario(lake, scenario_files("supply_mismatch"), FIRST)
    assert lake.sql(
        "select issued_supply, wallet_total_balance, diff_amount, is_ok, verdict from gold.ledger_supply_balance_daily"
    ) == [(won("3750.00"), won("900.00"), won("2850.00"), False, "MISMATCH")]
    assert lake.exceptions() == [(FIRST, "SUPPLY_MISMATCH", "CRITICAL", None, None)]
    assert (FIRST, "issuer_1", "NO_SNAPSHOT", "UNRECONCILED") in recon(lake)


def test_scenario_stale_source(lake: Lake) -> None:
    """The newest ledger row is a week old at the end of the day: the day's controls are suppressed."""
    run_scenario(lake, scenario_files("stale_source"), FIRST)
    assert dq_tags(lake)[LEDGER] == ("SOURCE_STALE", "CRITICAL")
    assert supply(lake) == [(FIRST, "SUPPRESSED", "SOURCE_STALE")]
    assert {verdict for *_, verdict in recon(lake)} <= {"SUPPRESSED"}
    assert {kind for _, kind, *_ in lake.exceptions()} == {"SOURCE_STALE", "EVENT_DROP_SUSPECTED"}


def test_scenario_zero_window(lake: Lake) -> None:
    """A ledger that has never had an event: no freshness can be told, but the day is empty."""
    run_scenario(lake, scenario_files("zero_window"), FIRST)
    assert dq_tags(lake)[LEDGER] == ("EVENT_DROP_SUSPECTED", "CRITICAL")
    assert supply(lake) == [(FIRST, "SUPPRESSED", "EVENT_DROP_SUSPECTED")]
    assert lake.sql("select count(*) from silver.order_events") == [(3,)]


def test_scenario_gating_effect(lake: Lake) -> None:
    """No ledger event, and wallets last extracted a week ago: SOURCE_STALE goes before EVENT_DROP_SUSPECTED."""
    run_scenario(lake, scenario_files("gating_effect"), FIRST, extracted_at=None)
    tags = dq_tags(lake)
    assert (tags[LEDGER][0], tags[WALLETS][0]) == ("EVENT_DROP_SUSPECTED", "SOURCE_STALE")
    assert supply(lake) == [(FIRST, "SUPPRESSED", "SOURCE_STALE")]


def test_scenario_dup_tx_id(lake: Lake) -> None:
    """Two of 14 lines repeat others: suspicious, but each entry stands and flows once."""
    run_scenario(lake, scenario_files("dup_tx_id"), FIRST)
    assert dq_tags(lake)[LEDGER] == ("DUP_SUSPECTED", "CRITICAL")
    assert lake.sql("select dup_rate from silver.dq_status where source_table = ?", [LEDGER]) == [(won("0.142857"),)]
    assert lake.sql("select count(*), count(distinct (tx_id, wallet_id)) from silver.ledger_entries") == [(12, 12)]
    assert net_flows(lake) == [(FIRST, "payer_1", won("-2100.00")), (FIRST, "shop_1", won("2100.00"))]
    assert pairing(lake) == [(FIRST, 12, 0, 1, 1)]


def test_scenario_pairing_quality(lake: Lake) -> None:
    """po_pair_1 is a pair; po_pair_2 has one wallet on both sides; of po_pair_3 only the first receipt is paid."""
    run_scenario(lake, scenario_files("pairing_quality"), FIRST)
    assert pairing(lake) == [(FIRST, 8, won("0.125000"), won("0.333333"), won("0.666667"))]
    assert lake.sql("select tx_id, paired_tx_id from gold.admin_tx_search order by tx_id") == [
        ("alone_1", None),
        ("in_po_pair_1", "out_po_pair_1"),
        ("many_1", "many_2"),
        ("many_2", "many_1"),
        ("many_3", None),
        ("out_po_pair_1", "in_po_pair_1"),
        ("self_1", None),
        ("self_2", None),
    ]


def test_scenario_analytics_multi_item(lake: Lake) -> None:
    """Three lines of a commerce order and no payment order: no fact row."""
    run_scenario(lake, scenario_files("analytics_multi_item"), FIRST)
    assert lake.sql("select count(*) from silver.order_items") == [(3,)]
    assert categories(lake) == []


def test_scenario_analytics_missing_product(lake: Lake) -> None:
    """Entries at the very instant of the extract are in its balances, so nothing is left to reconcile."""
    run_scenario(lake, scenario_files("analytics_missing_product"), FIRST)
    assert categories(lake) == []
    assert recon(lake) == [(FIRST, "payer_1", "FULL", "OK"), (FIRST, "shop_1", "FULL", "OK")]


def test_scenario_timezone_boundary(lake: Lake) -> None:
    """23:59 KST is of the first day, 00:00 already of the second."""
    run_scenario(lake, scenario_files("timezone_boundary"), FIRST, SECOND)
    assert net_flows(lake) == [
        (FIRST, "payer_1", won("-300.00")),
        (FIRST, "shop_1", won("300.00")),
        (SECOND, "payer_1", won("-660.00")),
        (SECOND, "shop_1", won("660.00")),
    ]
    assert lake.sql("select date_kst, total_cnt from gold.ops_payment_failure_daily order by all") == [
        (FIRST, 1),
        (SECOND, 2),
    ]


def test_scenario_hold_release_zero_flow(lake: Lake) -> None:
    """Holding and releasing moves no money, pairs with nothing and raises nothing in the controls."""
    run_scenario(lake, scenario_files("hold_release_zero_flow"), FIRST)
    assert net_flows(lake) == [(FIRST, "payer_1", won("0.00"))]
    assert (
        lake.sql("select amount, amount_signed, paired_tx_id from gold.admin_tx_search")
        == [(won("70.00"), won("0.00"), None)] * 2
    )
    assert pairing(lake) == [(FIRST, 2, 0, 0, 0)]
    assert "RECON_DRIFT_HIGH" not in {kind for _, kind, *_ in lake.exceptions()}


def test_scenario_large_amount_precision(lake: Lake) -> None:
    """18 digits, exact to the won's hundredth."""
    run_scenario(lake, scenario_files("large_amount_precision"), FIRST)
    assert net_flows(lake) == [
        (FIRST, "payer_1", won("-10000000000000299.99")),
        (FIRST, "shop_1", won("10000000000000299.99")),
    ]
    assert [amount for _, amount, _ in categories(lake)] == [won("300.00"), won("9999999999999999.99")]


def test_scenario_related_id_type_cast(lake: Lake) -> None:
    """The numeric order id 7500 and the text "7500" meet; the product's file is missing, so no category is known."""
    run_scenario(lake, scenario_files("related_id_type_cast"), FIRST)
    assert pairing(lake) == [(FIRST, 2, 0, 1, 1)]
    assert categories(lake) == [(FIRST, won("300.00"), None)]


def test_scenario_default(lake: Lake) -> None:
    """Both wallets valid, the payment has its category; the ledger's file is missing, which is an event drop."""
    run_scenario(lake, scenario_files("default"), FIRST)
    assert lake.sql("select user_id, balance_total, snapshot_date_kst from silver.wallet_snapshot order by all") == [
        ("payer_1", won("5000.00"), FIRST),
        ("shop_1", won("700.00"), FIRST),
    ]
    assert categories(lake) == [(FIRST, won("300.00"), "tea")]
    assert supply(lake) == [(FIRST, "SUPPRESSED", "EVENT_DROP_SUSPECTED")]


def test_scenario_tx_id_multi_entry(lake: Lake) -> None:
    """An entry is immutable: the second line with another amount is bad, 1 of 6 stops the run."""
    assert run_into_gate(lake, scenario_files("tx_id_multi_entry"), ledger_entries=1) == [
        ("silver.ledger_entries", "conflicting_entry", 6)
    ]
    assert dq_tags(lake)[LEDGER] == ("DUP_SUSPECTED", "CRITICAL")


def test_scenario_missing_required(lake: Lake) -> None:
    """One entry without tx_id, one wallet without user."""
    assert run_into_gate(lake, scenario_files("missing_required"), ledger_entries=1, wallet_snapshot=1) == [
        ("silver.ledger_entries", "missing_tx_or_wallet", 9),
        ("silver.wallet_snapshot", "missing_user_id", 4),
    ]
    assert dq_tags(lake) == {
        LEDGER: ("CONTRACT_VIOLATION", "CRITICAL"),
        WALLETS: ("CONTRACT_VIOLATION", "CRITICAL"),
        ORDERS: (None, None),
    }


def test_scenario_invalid_amount(lake: Lake) -> None:
    """Amounts null, 0 and -7, and a balance of -3."""
    assert run_into_gate(lake, scenario_files("invalid_amount"), ledger_entries=3, wallet_snapshot=1) == [
        ("silver.ledger_entries", "invalid_amount", 9),
        ("silver.ledger_entries", "non_positive_amount", 10),
        ("silver.ledger_entries", "non_positive_amount", 11),
        ("silver.wallet_snapshot", "negative_balance", 4),
    ]


def test_scenario_unknown_entry_type(lake: Lake) -> None:
    """Type GIFT is in no rule."""
    assert run_into_gate(lake, scenario_files("unknown_entry_type"), ledger_entries=1) == [
        ("silver.ledger_entries", "invalid_entry_type", 9)
    ]


def test_scenario_missing_event_time(lake: Lake) -> None:
    """An entry without a time is of no day; the guardrail counts it as of its extraction and says so."""
    assert run_into_gate(lake, scenario_files("missing_event_time"), ledger_entries=1) == [
        ("silver.ledger_entries", "missing_event_time", 7)
    ]
    assert dq_tags(lake)[LEDGER] == ("CONTRACT_VIOLATION", "CRITICAL")


def test_scenario_bad_records_rate_exceed(lake: Lake) -> None:
    """1 of 51 is 1.96 %, more than 1 %."""
    assert run_into_gate(lake, scenario_files("bad_records_rate_exceed"), ledger_entries=1) == [
        ("silver.ledger_entries", "missing_tx_or_wallet", 51)
    ]


def test_scenario_status_not_allowed(lake: Lake) -> None:
    """Payment orders are checked as well: LOST is no status."""
    assert run_into_gate(lake, scenario_files("status_not_allowed"), order_events=1) == [
        ("silver.order_events", "invalid_status", 5)
    ]


def test_scenario_status_null_and_invalid(lake: Lake) -> None:
    """A missing status is allowed, an unknown one is not."""
    assert run_into_gate(lake, scenario_files("status_null_and_invalid"), order_events=1) == [
        ("silver.order_events", "invalid_status", 5)
    ]


def plura(warehouse: Path, *arguments: str) -> str:
    """Run a command of the lake as a user does and return what it prints."""
    environment = os.environ | {
        "PLURA_DUCKDB_PATH": str(warehouse),
        "PLURA_DATA_DOCS_DIR": str(warehouse.parent / "data_docs"),
        "COLUMNS": "160",
    }
    done = subprocess.run(
        [str(Path(sys.executable).parent / "plura"), "lake", *arguments],
        env=environment,
        cwd=warehouse.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_day_normal_by_the_command_line(tmp_path: Path) -> None:
    """Load, run and report in processes of their own."""
    folder, warehouse = tmp_path / "in", tmp_path / "plura.duckdb"
    for source, lines in scenario_files("one_day_normal").items():
        write(folder / f"{source}.jsonl", lines)
    assert "6 loaded" in plura(warehouse, "load", str(folder), "--extracted-at", "2026-02-01T00:00:00Z")
    assert (tmp_path / "data_docs").is_dir()
    assert "succeeded" in plura(warehouse, "run", "--date", f"{FIRST}")
    report = plura(warehouse, "report", "--date", f"{FIRST}")
    assert "Controls of 2026-02-01 (KST)" in report
    assert "NO_BASELINE" in report
    assert "UNRECONCILED" in report
    assert "Open exceptions of the day: 0" in report
