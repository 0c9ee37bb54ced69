"""A supply mismatch that is the same on every day since the first names the rule that explains it, and its value."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from plura.cli.lake_report import summary
from python_jobs.report import DuckDBReader, day_report
from python_jobs.warehouse import open_duckdb
from tests.integration.lines import entry, kst, snapshot
from tests.lakes import Lake
from tests.rule_files import DEFAULT, row

D1, D2, D3 = (date(2026, 3, day) for day in range(2, 5))
DAYS = (D1, D2, D3)
PIPELINES = ("silver", "controls")


def minted(*balances: int) -> dict[str, list[dict[str, Any]]]:
    """Ten are minted on each day; the balances at the four midnights around the days."""
    midnights = (*DAYS, D3 + timedelta(days=1))
    return {
        "user_wallets": [
            snapshot("treasury", balance, kst(day, "00:00:00"))
            for day, balance in zip(midnights, balances, strict=True)
        ],
        "transaction_ledger": [entry(f"mint_{day}", "treasury", "MINT", 10, kst(day, "12:00:00")) for day in DAYS],
    }


def named(lake: Lake) -> dict[date, str | None]:
    """The opening that each open mismatch names."""
    found = lake.sql(
        "select date_kst, message from gold.exception_ledger"
        " where exception_type = 'SUPPLY_MISMATCH' and resolved_at is null"
    )
    return {day: json.loads(message).get("ledger/supply_opening") for day, message in found}


def test_a_constant_difference_names_the_opening_which_closes_it(new_lake: Callable[..., Lake]) -> None:
    """The ledger begins in the middle of the platform's life: 500 were issued before."""
    lake = new_lake(checks=False)
    lake.load(minted(500, 510, 520, 530))
    lake.run_clean(D1, D3, pipelines=PIPELINES)
    assert named(lake) == dict.fromkeys(DAYS, "500.00")
    with open_duckdb(lake.warehouse, read_only=True) as connection:
        _, verdict, text = summary(day_report(DuckDBReader(connection), D3))[0]
    assert verdict == "MISMATCH"
    assert text == (
        "issued less wallets: -500.00 KRW, the same on every day since the first: rule ledger/supply_opening would be"
        " 500.00"
    )

    lake.seeds["rules"] = DEFAULT + row("ledger/supply_opening", threshold=str(named(lake)[D3]), effective_start_ts="")
    lake.run_clean(D1, D3, pipelines=PIPELINES)
    assert named(lake) == {}
    assert set(lake.sql("select verdict from gold.ledger_supply_balance_daily")) == {("OK",)}


def test_a_wrong_opening_is_named_with_the_right_one(new_lake: Callable[..., Lake]) -> None:
    rule = row("ledger/supply_opening", threshold="400.5", effective_start_ts=f"{D2}T00:00:00+09:00")
    lake = new_lake(checks=False, seeds={"rules": DEFAULT + rule})
    lake.load(minted(500, 510, 520, 530))
    lake.run_clean(D1, D3, pipelines=PIPELINES)
    assert named(lake) == dict.fromkeys(DAYS, "500.00")


def test_a_fault_names_no_opening_whatever_the_order_of_the_days(new_lake: Callable[..., Lake]) -> None:
    """Seven appear on the second day. Looked at from there on they are constant, until the first day is computed."""
    at_once, later = new_lake(checks=False), new_lake(checks=False)
    for lake in (at_once, later):
        lake.load(minted(500, 510, 527, 537))
    at_once.run_clean(D1, D3, pipelines=PIPELINES)
    assert named(at_once) == {D1: "500.00", D2: None, D3: None}

    later.run_clean(D2, D3, pipelines=PIPELINES)
    assert named(later) == {D2: "507.00", D3: "507.00"}
    later.run_clean(D1, pipelines=PIPELINES)
    assert named(later) == named(at_once)


def test_a_fault_after_clean_days_names_no_opening(new_lake: Callable[..., Lake]) -> None:
    rule = row("ledger/supply_opening", threshold="500", effective_start_ts="")
    lake = new_lake(checks=False, seeds={"rules": DEFAULT + rule})
    lake.load(minted(500, 510, 527, 537))
    lake.run_clean(D1, D3, pipelines=PIPELINES)
    assert named(lake) == {D2: None, D3: None}
