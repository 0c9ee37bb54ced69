"""Faults 30 to 38 of the reference: payment metrics, pairing, admin index and exceptions.

One warehouse, run twice: the second run follows a corrected balance, a changed order and the withdrawal of a batch.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from python_jobs.load import set_batch_status
from python_jobs.warehouse import open_duckdb, warehouse_lock
from tests.integration.lines import entry, kst, payment, snapshot
from tests.lakes import Lake
from tests.loads import GOOD

D1, D2 = date(2026, 3, 2), date(2026, 3, 3)
NOON = kst(D1, "12:00:00")

LINES = {
    "orders": [GOOD["orders"] | {"order_id": 7, "status": "PAID", "created_at": NOON}],
    "payment_orders": [
        # extracted three times while it went from PENDING to FAILED
        payment("po_1", "PENDING", 10, NOON, updated_at=kst(D1, "12:00:00")),
        payment("po_1", "FAILED", 10, NOON, updated_at=kst(D1, "13:00:00")),
        payment("po_1", "FAILED", 10, NOON, updated_at=kst(D1, "14:00:00")),
        payment("po_2", "REFUNDED", 10, NOON),
        payment("po_nameless_1", "PAID", 10, NOON, merchant_name=None),
        payment("po_nameless_2", "PAID", 10, NOON, merchant_name=" "),
        payment(None, "PAID", 10, NOON),
        *[payment(f"good_{n}", "PAID", 1, kst(D2, "12:00:00"), merchant_name="Other") for n in range(120)],
    ],
    "transaction_ledger": [
        # one transaction that is booked to both wallets
        entry("both", "alice", "PAYMENT", 10, NOON, "po_1"),
        entry("both", "bob", "RECEIVE", 10, NOON, "po_1"),
        # a payment and its refund on one day
        entry("r1", "alice", "PAYMENT", 10, NOON, "po_2"),
        entry("r2", "bob", "RECEIVE", 10, NOON, "po_2"),
        entry("r3", "bob", "REFUND_OUT", 10, kst(D1, "13:00:00"), "po_2"),
        entry("r4", "alice", "REFUND_IN", 10, kst(D1, "13:00:00"), "po_2"),
        # across midnight
        entry("m1", "alice", "PAYMENT", 3, kst(D1, "23:59:00"), "po_midnight"),
        entry("m2", "bob", "RECEIVE", 3, kst(D2, "00:01:00"), "po_midnight"),
        # one transaction in two groups
        entry("fan", "alice", "PAYMENT", 5, NOON, "group_1"),
        entry("fan", "carol", "PAYMENT", 5, NOON, "group_2"),
        # no pairs: one wallet, unequal amounts, money held
        entry("s1", "alice", "PAYMENT", 7, NOON, "self"),
        entry("s2", "alice", "RECEIVE", 7, NOON, "self"),
        entry("u1", "alice", "PAYMENT", 9, NOON, "unequal"),
        entry("u2", "bob", "RECEIVE", 8, NOON, "unequal"),
        entry("h1", "alice", "HOLD", 4, NOON, "held"),
        entry("h2", "bob", "RELEASE", 4, NOON, "held"),
        # belong to nothing
        entry("n1", "carol", "CHARGE", 1, NOON, ""),
        entry("n2", "carol", "CHARGE", 1, NOON, None),
    ],
    "user_wallets": [snapshot("leaky", 50, kst(D1, "00:00:00")), snapshot("leaky", 40, kst(D2, "00:00:00"))],
}
WRONG_LINES = {
    "payment_orders": [payment("po_gone", "PAID", 10, NOON, merchant_name="Gone Shop")],
    "transaction_ledger": [entry("gone", "gone_wallet", "CHARGE", 1, NOON)],
    "user_wallets": [snapshot("gone_wallet", 5, kst(D1, "00:00:00")), snapshot("gone_wallet", 3, kst(D2, "00:00:00"))],
}
CORRECTIONS = {
    "payment_orders": [
        payment("po_nameless_1", "CANCELLED", 10, NOON, merchant_name=None, updated_at=kst(D2, "12:00:00")),
        payment("group_1", "PAID", 5, NOON, merchant_name="Late Shop"),
    ],
    "user_wallets": [snapshot("leaky", 35, kst(D2, "00:00:00"))],
}
TABLES = {
    "recon_daily_snapshot_flow": "user_id = 'gone_wallet'",
    "ops_payment_failure_daily": "merchant_name = 'Gone Shop'",
    "ops_payment_refund_daily": "merchant_name = 'Gone Shop'",
    "admin_tx_search": "tx_id = 'gone'",
}


@dataclass(frozen=True, kw_only=True)
class Operated:
    """The warehouse after both runs, and what stood after each: run name to rows."""

    lake: Lake
    failures: dict[str, list[tuple[Any, ...]]]
    rows_of_wrong_batch: dict[str, dict[str, int]]
    exceptions: dict[str, list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def operated(new_lake: Callable[..., Lake]) -> Operated:
    lake = new_lake()
    result = Operated(lake=lake, failures={}, rows_of_wrong_batch={}, exceptions={})

    def run(name: str) -> None:
        lake.run_clean(pipelines=["silver", "controls"], run_id=name)
        result.failures[name] = lake.sql(
            "select merchant_name, total_cnt, failed_cnt, failure_rate from gold.ops_payment_failure_daily"
            " where date_kst = ? order by all",
            [D1],
        )
        result.rows_of_wrong_batch[name] = {
            table: lake.sql(f"select count(*) from gold.{table} where {condition}")[0][0]
            for table, condition in TABLES.items()
        }
        result.exceptions[name] = lake.sql(
            "select subject, metric_value, resolution, run_id from gold.exception_ledger"
            " where exception_type = 'RECON_DRIFT_HIGH' order by all"
        )

    lake.load(LINES)
    wrong = [file.batch_id for file in lake.load(WRONG_LINES).files]
    run("first")
    lake.checks = False
    lake.load(CORRECTIONS)
    with open_duckdb(lake.warehouse) as connection:
        for batch in wrong:
            set_batch_status(connection, batch, "withdrawn", reason="wrong files", now=lake.now)
    run("second")
    return result


def pairs(lake: Lake) -> dict[tuple[str, str], str | None]:
    """Counterpart of each entry."""
    rows = lake.sql("select tx_id, wallet_id, paired_tx_id from gold.admin_tx_search")
    return {(tx, wallet): paired for tx, wallet, paired in rows}


def test_fault_30_orders_without_merchant_are_a_group_that_merges(operated: Operated) -> None:
    """A blank name is none; the second run updates the group instead of doubling it or breaking."""
    assert [row for row in operated.failures["first"] if row[0] is None] == [(None, 2, 0, 0)]
    assert [row for row in operated.failures["second"] if row[0] is None] == [(None, 2, 1, Decimal("0.5"))]
    # nothing of them was refunded, before or after: the row is found and left alone
    refunds = "select total_cnt, refunded_cnt, run_id from gold.ops_payment_refund_daily"
    assert operated.lake.sql(f"{refunds} where merchant_name is null and date_kst = ?", [D1]) == [(2, 0, "first")]


def test_fault_31_payment_metrics_count_the_latest_version_of_valid_orders(operated: Operated) -> None:
    """po_1 came in three versions; an order without id counts in the quarantine only, a commerce order nowhere."""
    assert ("Shop A", 2, 1, Decimal("0.5")) in operated.failures["second"]
    refunds = "select total_cnt, refunded_cnt, refund_rate from gold.ops_payment_refund_daily where date_kst = ?"
    assert operated.lake.sql(f"{refunds} and merchant_name = 'Shop A'", [D1]) == [(2, 1, Decimal("0.5"))]
    assert sum(total for _, total, _, _ in operated.failures["second"]) == 5
    assert operated.lake.sql("select reason from silver.bad_records") == [("missing_order_id",)]


def test_fault_32_one_transaction_in_two_wallets_or_groups_is_two_rows(operated: Operated) -> None:
    """And each is updated for itself: the order of group_1 arrived before the second run."""
    rows = operated.lake.sql(
        "select tx_id, wallet_id, related_id, merchant_name from gold.admin_tx_search"
        " where tx_id in ('both', 'fan') order by all"
    )
    assert rows == [
        ("both", "alice", "po_1", "Shop A"),
        ("both", "bob", "po_1", "Shop A"),
        ("fan", "alice", "group_1", "Late Shop"),
        ("fan", "carol", "group_2", None),
    ]


def test_fault_33_the_admin_index_names_merchant_status_and_kind(operated: Operated) -> None:
    columns = "merchant_name, payment_status, related_type"
    found = operated.lake.sql(f"select distinct {columns} from gold.admin_tx_search where related_id = 'po_1'")
    assert found == [("Shop A", "FAILED", "PAYMENT_ORDER")]
    found = operated.lake.sql(f"select distinct {columns} from gold.admin_tx_search where related_id = 'self'")
    assert found == [(None, None, None)]


def test_fault_34_pairs_are_equal_amounts_of_two_wallets_and_one_definition_serves_both_tables(
    operated: Operated,
) -> None:
    """Refunds beside payments and pairs across midnight are found; quality counts what the index links."""
    found = {f"{tx}:{wallet}": paired for (tx, wallet), paired in pairs(operated.lake).items() if paired}
    assert found == {
        "both:alice": "both",
        "both:bob": "both",
        "r1:alice": "r2",
        "r2:bob": "r1",
        "r3:bob": "r4",
        "r4:alice": "r3",
        "m1:alice": "m2",
        "m2:bob": "m1",
    }
    # groups of the first day: po_1, po_2 and po_midnight are paired; group_1, group_2, self and unequal are not
    assert operated.lake.sql(
        "select date_kst, entry_cnt, pair_candidate_rate from gold.ops_ledger_pairing_quality_daily order by all"
    ) == [(D1, 17, Decimal("0.428571")), (D2, 1, Decimal("1.000000"))]


def test_fault_35_rates_stay_within_one_and_blank_ids_form_no_group(operated: Operated) -> None:
    """3 of 7 groups are payment orders, however often po_1 was extracted; "" and NULL are 2 of 17 without id."""
    assert operated.lake.sql(
        "select join_payment_orders_rate, related_id_null_rate from gold.ops_ledger_pairing_quality_daily"
        " where date_kst = ?",
        [D1],
    ) == [(Decimal("0.428571"), Decimal("0.117647"))]


def test_fault_36_reruns_remove_what_no_longer_holds_and_exceptions_have_a_life(operated: Operated) -> None:
    """The wrong batch leaves no row behind; its exception is resolved, the other one updated, none doubled."""
    assert list(operated.rows_of_wrong_batch["first"].values()) == [2, 1, 1, 1]
    assert set(operated.rows_of_wrong_batch["second"].values()) == {0}
    assert operated.exceptions["first"] == [
        ("gone_wallet", Decimal("3.000000"), None, "first"),
        ("leaky", Decimal("10.000000"), None, "first"),
    ]
    assert operated.exceptions["second"] == [
        ("gone_wallet", Decimal("3.000000"), "CLEARED", "second"),
        ("leaky", Decimal("15.000000"), None, "second"),
    ]


def test_fault_37_two_runs_on_one_warehouse_never_interleave(tmp_path: Path) -> None:
    """Both controls write their exceptions in one statement, and a second run is refused while one is going on."""
    warehouse = tmp_path / "plura.duckdb"
    duckdb.connect(str(warehouse)).close()
    before = warehouse.read_bytes()
    with warehouse_lock(warehouse):
        refused = subprocess.run(
            [str(Path(sys.executable).parent / "plura"), "lake", "run", "--date", f"{D1}"],
            env=os.environ | {"PLURA_DUCKDB_PATH": str(warehouse), "COLUMNS": "300"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert refused.returncode == 1
    assert f"is busy with process {os.getpid()}" in refused.stderr
    assert warehouse.read_bytes() == before


def test_fault_38_messages_name_no_user(operated: Operated) -> None:
    """The wallet stands in a column of its own, which can be withheld from analysts."""
    rows = operated.lake.sql("select subject, message from gold.exception_ledger where domain = 'ledger'")
    assert {subject for subject, _ in rows if subject} == {"gone_wallet", "leaky"}
    assert all(subject not in message for subject, message in rows if subject)
