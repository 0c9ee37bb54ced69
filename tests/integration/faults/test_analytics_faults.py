"""Faults 39 to 44 of the reference: the anonymized payment fact.

One warehouse, run three times: when half a day's payments have arrived, when the rest has, and after the batch of
another day was withdrawn.
"""

from __future__ import annotations

import hashlib
import inspect
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from plura.cli import lake as commands
from python_jobs.load import set_batch_status
from python_jobs.warehouse import open_duckdb
from tests.integration.lines import instant, item, kst, payment, product
from tests.lakes import Lake

D1, D2 = date(2026, 3, 2), date(2026, 3, 3)

MORNING = {
    "payment_orders": [
        payment("po_1001", "PAID", 30, kst(D1, "08:00:00"), user_id="alice"),
        payment("po_1002", "FAILED", 30, kst(D1, "08:00:00"), user_id="alice"),
        payment("po_1003", "PAID", 30, kst(D1, "08:00:00"), user_id="bob"),
        payment("po_none", "PAID", 30, kst(D1, "08:00:00"), user_id="bob"),
        payment("po_1004", "PAID", 30, kst(D1, "08:00:00"), user_id=None),
        payment("po_1005", "PAID", 30, kst(D1, "08:00:00"), user_id="  "),
    ],
    "order_items": [
        item(1, 1001, 91, 1, 10),
        item(2, 1001, 92, 3, 5),  # 15 is more than 10
        item(3, 1002, 99, 1, 20),  # the largest line's product is unknown
        item(4, 1002, 91, 1, 5),
        item(10, 1003, 92, 1, 20),
        item(9, 1003, 91, 1, 20),  # of equal lines the one with the smaller id, as numbers
    ],
    "products": [product(91, "BEANS"), product(92, "TEA")],
}
AFTERNOON = {"payment_orders": [payment("po_1006", "PAID", 30, kst(D1, "20:00:00"), user_id="carol")]}
WRONG_DAY = {"payment_orders": [payment("po_2001", "PAID", 30, kst(D2, "08:00:00"), user_id="carol")]}


@dataclass(frozen=True, kw_only=True)
class Analyzed:
    """The warehouse after all runs, and the keys of the fact after each: run name to (day, key) pairs."""

    lake: Lake
    keys: dict[str, set[tuple[date, str]]]
    refused: tuple[str, ...]


def key_of(text: str, salt: str = "local-salt-v1") -> str:
    """SHA-256 of a text followed by the salt."""
    return hashlib.sha256(f"{text}{salt}".encode()).hexdigest()


@pytest.fixture(scope="module")
def analyzed(new_lake: Callable[..., Lake]) -> Analyzed:
    lake, keys = new_lake(checks=False), {}

    def run(name: str) -> None:
        lake.run_clean(pipelines=["silver", "analytics"], run_id=name)
        keys[name] = set(lake.sql("select date_kst, payment_key from gold.fact_payment_anonymized"))

    lake.now = instant(D1, "12:00:00")
    lake.load(MORNING)
    refused = lake.run(D1, pipelines=["silver", "analytics"]).problems
    lake.now = instant(D2, "00:35:00")
    run("after midnight")
    lake.load(AFTERNOON)
    wrong = lake.load(WRONG_DAY).files[0].batch_id
    lake.now = instant(date(2026, 3, 10), "00:35:00")
    run("late")
    with open_duckdb(lake.warehouse) as connection:
        set_batch_status(connection, wrong, "withdrawn", reason="wrong day", now=lake.now)
    run("withdrawn")
    return Analyzed(lake=lake, keys=keys, refused=refused)


def categories(lake: Lake) -> dict[str, Any]:
    """Category by payment order."""
    found = dict(lake.sql("select payment_key, category from gold.fact_payment_anonymized"))
    orders = ("po_1001", "po_1002", "po_1003", "po_none")
    return {order: found[key_of(order)] for order in orders}


def test_fault_39_the_category_comes_over_the_link_of_payment_and_commerce_order(analyzed: Analyzed) -> None:
    """po_1001 is commerce order 1001; a reference without number links to nothing."""
    assert categories(analyzed.lake)["po_1001"] == "TEA"
    assert categories(analyzed.lake)["po_none"] is None


def test_fault_40_only_whole_days_are_computed_and_late_payments_join_theirs(analyzed: Analyzed) -> None:
    """The running day is refused by name; what arrives later is added to the morning, not put in its place."""
    assert any("2026-03-02 is still open" in problem for problem in analyzed.refused)
    assert len(analyzed.keys["after midnight"]) == 4
    late = analyzed.keys["late"] - analyzed.keys["after midnight"]
    assert late == {(D1, key_of("po_1006")), (D2, key_of("po_2001"))}
    assert analyzed.keys["after midnight"] < analyzed.keys["late"]


def test_fault_41_a_day_that_yields_no_rows_any_more_is_emptied(analyzed: Analyzed) -> None:
    assert analyzed.keys["late"] - analyzed.keys["withdrawn"] == {(D2, key_of("po_2001"))}


def test_fault_42_payments_have_a_key_and_a_status_and_dropped_ones_are_counted(analyzed: Analyzed) -> None:
    """Two payments name no user; a failed one stays, told by its status."""
    lake = analyzed.lake
    assert lake.sql("select count(*), count(distinct payment_key) from gold.fact_payment_anonymized") == [(5, 5)]
    assert lake.sql("select date_kst, reason, dropped_cnt from gold.fact_payment_dropped_daily") == [
        (D1, "missing_user_id", 2)
    ]
    assert lake.sql("select status, sum(amount) from gold.fact_payment_anonymized group by all order by all") == [
        ("FAILED", Decimal(30)),
        ("PAID", Decimal(120)),
    ]


def test_fault_43_keys_are_plain_salted_hashes_as_documented_and_the_dummy_salt_stays_local(
    analyzed: Analyzed, new_lake: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version of the salt stands in each row, no command takes a salt, production refuses the public constant."""
    lake = analyzed.lake
    assert lake.sql("select distinct user_key from gold.fact_payment_anonymized where status = 'FAILED'") == [
        (key_of("alice"),)
    ]
    assert lake.sql("select distinct salt_version from gold.fact_payment_anonymized") == [("local-v1",)]
    assert "salt" not in inspect.getsource(commands)

    lake = new_lake(checks=False)
    shutil.copy(analyzed.lake.warehouse, lake.warehouse)
    monkeypatch.setenv("PLURA_ENV", "prod")
    lake.load({"payment_orders": [payment("po_1007", "PAID", 30, kst(D1, "20:00:00"), user_id="carol")]})
    refused = lake.run(pipelines=["silver", "analytics"])
    assert any("the local dummy is refused in production" in problem for problem in refused.problems)
    assert lake.sql("select status from gold.pipeline_state where pipeline_name = 'pipeline_c'") == [("failure",)]
    assert lake.sql("select count(*) from gold.fact_payment_anonymized") == [(5,)]


def test_fault_44_the_largest_line_decides_even_when_its_product_is_unknown(analyzed: Analyzed) -> None:
    """No cheaper line stands in for it; equal lines are told apart by number, 9 before 10."""
    assert categories(analyzed.lake)["po_1002"] is None
    assert categories(analyzed.lake)["po_1003"] == "BEANS"
