"""Histories that once gave another Silver or Gold than the oracle, cut down to what matters."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.lakes import Lake
from tests.property.comparing import differences
from tests.property.histories import ALL, FIRST_DAY, Load, Run, Step, Wait, Withdraw
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


def day(n: int) -> date:
    """The n-th KST day of the histories."""
    return FIRST_DAY + timedelta(days=n)


def at(n: int, hour: float = 0) -> str:
    """Hours after the start of the n-th KST day, as sources write it."""
    midnight = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC) - timedelta(hours=9)
    return (midnight + timedelta(days=n, hours=hour)).isoformat()


def entry(created_at: str, **fields: Any) -> dict[str, Any]:
    """A ledger line: by default wallet w1 is charged 10 in the entry t1."""
    usual = {"tx_id": "t1", "wallet_id": "w1", "type": "CHARGE", "amount": "10.00", "created_at": created_at}
    return usual | fields


def snapshot(extracted_at: str, **fields: Any) -> dict[str, Any]:
    """A wallet line: by default w1 holds 10."""
    usual = {"user_id": "w1", "balance": "10.00", "frozen_amount": "0", "source_extracted_at": extracted_at}
    return usual | fields


def payment_order(created_at: str, **fields: Any) -> dict[str, Any]:
    """A payment order line: by default w1 has paid 10 at the cafe."""
    usual = {"order_id": "po_1", "user_id": "w1", "merchant_name": "cafe", "amount": "10.00", "status": "PAID"}
    return usual | {"created_at": created_at} | fields


def loaded(**files: Iterable[dict[str, Any]]) -> Load:
    """Lines by source."""
    return Load(files={source: list(lines) for source, lines in files.items()})


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


# Recon -----------------------------------------------------------------------------------------------------------


def test_a_snapshot_at_the_end_of_the_base_day_is_dated_the_day_after(played: Played) -> None:
    lines = loaded(user_wallets=[snapshot(at(3))])
    assert_right(played, lines, Run(first=day(2), last=day(2)))


def test_a_day_without_closing_snapshot_shows_no_opening_that_comes_later(played: Played) -> None:
    entries = [entry(at(-1, 12), type="HOLD"), entry(at(-1, 13), tx_id="t2", wallet_id="w2")]
    lines = loaded(transaction_ledger=entries, user_wallets=[snapshot(at(3, 13)), snapshot(at(-1), user_id="w3")])
    assert_right(played, lines, Wait(hours=24))
