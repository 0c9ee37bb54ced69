"""Histories that once gave another Silver or Gold than the oracle, cut down to what matters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.lakes import Lake
from tests.property.comparing import differences
from tests.property.histories import ALL, Load, Publish, Reinstate, Run, Step, Wait, Withdraw
from tests.property.killing import run_killed
from tests.property.lines import at, day, entry, loaded, payment_order, snapshot
from tests.property.playing import Played

if TYPE_CHECKING:
    from pathlib import Path

    from dbt.contracts.graph.manifest import Manifest

OPEN = datetime(2026, 3, 5, 4, tzinfo=UTC)
"""The fourth day is running."""
CLOSED = datetime(2026, 3, 10, tzinfo=UTC)
"""All days of the histories are over."""

WRITES = {
    "guardrail": {"silver.dq_status"},
    "silver": {f"silver.{name}" for name in ("wallet_snapshot", "ledger_entries", "order_events", "products")},
}
"""Tables that tell whether a run of one pipeline did its part."""


@pytest.fixture
def played(tmp_path: Path, manifest: Manifest) -> Played:
    return Played(lake=Lake(work=tmp_path, manifest=manifest, now=OPEN, checks=False))


def assert_right(played: Played, *steps: Step, last: tuple[str, ...] = ALL) -> None:
    """After the steps, and a run of the `last` pipelines when all days are over, the tables are the oracle's."""
    played.play(*steps)
    played.lake.now = CLOSED
    played.play(Run(pipelines=last))
    wanted = played.expected()
    if last != ALL:
        tables = set().union(*(WRITES[pipeline] for pipeline in last))
        wanted = {table: rows for table, rows in wanted.items() if table in tables}
    assert differences(played.lake, wanted) == []


# Guardrail -------------------------------------------------------------------------------------------------------


def test_a_row_withdrawn_before_the_first_run_gives_no_day_rows(played: Played) -> None:
    steps = (loaded(transaction_ledger=[entry(at(0))]), Withdraw(batch=0))
    assert_right(played, *steps, last=("guardrail",))


def test_a_backfill_of_a_later_day_leaves_the_earlier_days_to_the_next_run(played: Played) -> None:
    lines = loaded(transaction_ledger=[entry(at(0, 9)), entry(at(2, 9), tx_id="t2")])
    named = Run(pipelines=("guardrail",), first=day(2), last=day(2))
    assert_right(played, lines, named, last=("guardrail",))


def test_a_backfill_of_a_day_before_all_rows_does_not_make_the_days_between_due(played: Played) -> None:
    lines = loaded(transaction_ledger=[entry(at(2, 9))])
    named = Run(pipelines=("guardrail",), first=day(-2), last=day(-2))
    assert_right(played, lines, named, last=("guardrail",))


def test_days_come_back_with_a_reinstated_first_row(played: Played) -> None:
    first, later = entry(at(0, 9)), entry(at(2, 9), tx_id="t2")
    steps: list[Step] = [loaded(transaction_ledger=[first]), loaded(transaction_ledger=[later]), Withdraw(batch=0)]
    steps += [Run(pipelines=("guardrail",)), loaded(transaction_ledger=[first])]
    assert_right(played, *steps, last=("guardrail",))


def test_a_ledger_line_without_a_wallet_has_no_usable_key(played: Played) -> None:
    lines = [entry(at(0, 9)), entry(at(0, 9)), entry(at(0, 9), wallet_id=None)]
    assert_right(played, loaded(transaction_ledger=lines), last=("guardrail",))


# Silver ----------------------------------------------------------------------------------------------------------


def test_blank_names_and_categories_of_products_are_none(played: Played) -> None:
    products = [{"product_id": 1, "product_name": " bean ", "category": " ", "price_krw": None, "is_display": None}]
    assert_right(played, loaded(products=products), last=("silver",))


def test_a_run_killed_after_an_order_and_before_its_entries_leaves_no_old_status(played: Played) -> None:
    lines = {"transaction_ledger": [entry(at(0, 9), related_id="po_1")]}
    pending = payment_order(at(0, 9), status="PENDING", updated_at=at(0, 9))
    silver = Run(pipelines=("silver",))
    played.play(loaded(**lines, payment_orders=[pending]), silver)
    played.play(loaded(payment_orders=[pending | {"status": "PAID", "updated_at": at(0, 10)}]))
    run_killed(played.lake, silver, 'into "plura"."silver"."ledger_entries"', "killed")
    assert played.lake.sql("select status from silver.order_events") == [("PAID",)]
    assert_right(played, last=("silver",))


def test_a_batch_withdrawn_after_a_killed_run_had_stored_it_is_gone(played: Played) -> None:
    silver = Run(pipelines=("silver",))
    played.play(loaded(transaction_ledger=[entry(at(0, 9))]), silver)
    played.play(loaded(transaction_ledger=[entry(at(0, 10), tx_id="t2")]))
    run_killed(played.lake, silver, "int_silver_completed_run", "killed")
    assert len(played.lake.sql("select tx_id from silver.ledger_entries")) == 2
    assert_right(played, Withdraw(batch=1), last=("silver",))


@pytest.mark.parametrize("line", [entry(at(0, 9), tx_id=None), "no json"], ids=["no key", "no object"])
def test_a_line_without_a_key_is_quarantined_when_its_batch_is_reinstated(
    played: Played, line: dict[str, Any] | str
) -> None:
    """The batch was withdrawn before any run saw it, and a run has passed it by."""
    silver = Run(pipelines=("silver",))
    # a file in which no line is an object is refused as a whole
    first = Load(files={"transaction_ledger": [line, entry(at(0, 8), tx_id="good")]})
    played.play(first, loaded(transaction_ledger=[entry(at(0, 9))]), Withdraw(batch=0), silver, Reinstate(batch=0))
    assert_right(played, last=("silver",))
    assert len(played.lake.sql("select record_id from silver.bad_records")) == 1


# Pairs -----------------------------------------------------------------------------------------------------------


def test_a_group_of_one_day_counts_whatever_its_order_does_on_other_days(played: Played) -> None:
    entries = [
        entry(at(0, 9), tx_id="t1", type="PAYMENT", related_id="r"),
        entry(at(0, 9), tx_id="t2", type="RECEIVE", related_id="r", wallet_id="w2"),
        entry(at(2, 9), tx_id="t3", type="REFUND_OUT", related_id="r", wallet_id="w2"),
    ]
    assert_right(played, loaded(transaction_ledger=entries))


# Recon -----------------------------------------------------------------------------------------------------------


def test_a_snapshot_at_the_end_of_the_base_day_is_dated_the_day_after(played: Played) -> None:
    lines = loaded(user_wallets=[snapshot(at(3))])
    assert_right(played, lines, Run(first=day(2), last=day(2)))


def test_a_day_without_closing_snapshot_shows_no_opening_that_comes_later(played: Played) -> None:
    entries = [entry(at(-1, 12), type="HOLD"), entry(at(-1, 13), tx_id="t2", wallet_id="w2")]
    lines = loaded(transaction_ledger=entries, user_wallets=[snapshot(at(3, 13)), snapshot(at(-1), user_id="w3")])
    assert_right(played, lines, Wait(hours=24))


def test_a_late_entry_before_the_closing_snapshot_alters_the_day_before_it(played: Played) -> None:
    lines = loaded(user_wallets=[snapshot(at(1, 11))], transaction_ledger=[entry(at(0, 9))])
    assert_right(played, lines, Run(), loaded(transaction_ledger=[entry(at(1, 3), tx_id="t2")]))


def test_a_new_wallet_has_no_balance_on_days_before_its_first_entry(played: Played) -> None:
    feed = loaded(
        user_wallets=[snapshot(at(0), user_id="w2")],
        transaction_ledger=[entry(at(1)), entry(at(1), tx_id="t2", wallet_id="w3")],
    )
    assert_right(played, feed, Run(), loaded(user_wallets=[snapshot(at(2, 12))]))
    balances = played.lake.sql("select date_kst from gold.wallet_balance_daily where user_id = 'w1' order by 1")
    assert balances == [(day(1),), (day(2),)]
    played.start_over()
    played.play(Run())
    assert balances == played.lake.sql("select date_kst from gold.wallet_balance_daily where user_id = 'w1' order by 1")


# Supply ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "row", "exceptions"),
    [
        ("supply warned of below its threshold", (50, "MISMATCH", "WARN", False), 1),
        ("supply allowed beyond its threshold", (50, "OK", None, True), 0),
    ],
)
def test_the_supply_is_ok_where_its_verdict_is(
    played: Played, change: str, row: tuple[object, ...], exceptions: int
) -> None:
    """The limits of the severity map count, not the threshold beside them."""
    lines = loaded(
        user_wallets=[snapshot(at(0)), snapshot(at(1))], transaction_ledger=[entry(at(0, 9), amount="60.00")]
    )
    assert_right(played, lines, Publish(changes=(change, "no soft gate")))
    supply = "select diff_amount, verdict, severity, is_ok from gold.ledger_supply_balance_daily where date_kst = $1"
    assert played.lake.sql(supply.replace("$1", f"date '{day(0)}'")) == [row]
    found = "select count(*) from gold.exception_ledger where exception_type = 'SUPPLY_MISMATCH' and date_kst = $1"
    assert played.lake.sql(found.replace("$1", f"date '{day(0)}'")) == [(exceptions,)]


def test_a_published_opening_of_the_supply_is_read(played: Played) -> None:
    lines = loaded(user_wallets=[snapshot(at(0)), snapshot(at(1))], transaction_ledger=[entry(at(0, 9))])
    assert_right(played, lines, Publish(changes=("supply opening", "no soft gate")))
    assert played.lake.sql("select distinct opening_supply, issued_supply from gold.ledger_supply_balance_daily") == [
        (100, 110)
    ]
