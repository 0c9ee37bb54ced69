"""Faults 22 to 29 of the reference: reconciliation and supply.

`audited` has wallets extracted daily at 03:00 KST and no guardrail; `gated` has a guardrail, a ledger that is silent on
the second day, and a second run after the missing entries have arrived.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.dbt_runs import PROJECT
from tests.integration.lines import entry, kst, snapshot, stored
from tests.lakes import Lake

D1, D2, D3, D4, D5, D6 = (date(2026, 3, day) for day in range(2, 8))

EXTRACTS = [
    *[snapshot("calm", balance, kst(day, "03:00:00")) for day, balance in ((D1, 100), (D2, 85), (D5, 60))],
    *[snapshot("leaky", balance, kst(day, "03:00:00")) for day, balance in ((D1, 50), (D2, 40), (D5, 40))],
    *[snapshot("treasury", balance, kst(day, "03:00:00")) for day, balance in ((D1, 0), (D2, 900), (D5, 900))],
    *[snapshot("funded", balance, kst(day, "03:00:00")) for day, balance in ((D1, 0), (D2, 100), (D5, 100))],
    snapshot("still", 7, kst(D1, "03:00:00")),  # missing in the later extracts
    # equally far from the end of the first day
    snapshot("tie", 10, kst(D1, "03:00:00")),
    snapshot("tie", 10, kst(D1, "18:00:00")),
    snapshot("tie", 20, kst(D2, "06:00:00")),
    # of one instant: the later line stands
    snapshot("twin", 1, kst(D1, "03:00:00")),
    snapshot("twin", 2, kst(D1, "03:00:00")),
]
ENTRIES = [
    entry("before_the_extract", "calm", "RECEIVE", 10, kst(D1, "01:00:00")),
    entry("in_the_day", "calm", "PAYMENT", 20, kst(D1, "15:00:00")),
    entry("before_the_next_extract", "calm", "RECEIVE", 5, kst(D2, "02:00:00")),
    entry("after_the_last_extract", "calm", "PAYMENT", 15, kst(D2, "20:00:00")),
    entry("mint", "treasury", "MINT", 1000, kst(D1, "10:00:00")),
    entry("funding", "treasury", "PAYMENT", 100, kst(D1, "11:00:00"), "funding_1"),
    entry("charge", "funded", "CHARGE", 100, kst(D1, "11:00:00"), "funding_1"),
    entry("unseen", "ghost", "RECEIVE", 20, kst(D1, "15:00:00")),
    entry("between_the_two", "tie", "RECEIVE", 10, kst(D2, "03:00:00")),
    entry("after_the_gap", "calm", "PAYMENT", 10, kst(D4, "10:00:00")),
]


@pytest.fixture(scope="module")
def audited(new_lake: Callable[..., Lake]) -> Lake:
    lake = new_lake(checks=False)
    lake.load({"user_wallets": EXTRACTS, "transaction_ledger": ENTRIES})
    lake.run_clean(D1, D4, pipelines=["silver", "controls"])
    return lake


def copy_of(lake: Lake, new_lake: Callable[..., Lake], **options: Any) -> Lake:
    """Another warehouse with the same content."""
    twin = new_lake(checks=False, **options)
    shutil.copy(lake.warehouse, twin.warehouse)
    return twin


def recon(lake: Lake, day: date) -> dict[str, tuple[Any, ...]]:
    """Change, flow, coverage and verdict by wallet."""
    rows = lake.sql(
        "select user_id, delta_balance_total, net_flow_total, coverage, verdict"
        " from gold.recon_daily_snapshot_flow where date_kst = ?",
        [day],
    )
    return {user: (delta, flow, coverage, verdict) for user, delta, flow, coverage, verdict in rows}


def supply(lake: Lake, *columns: str) -> dict[date, tuple[Any, ...]]:
    """Columns of the supply balance by day."""
    rows = lake.sql(f"select date_kst, {', '.join(columns)} from gold.ledger_supply_balance_daily")
    return {row[0]: row[1:] for row in rows}


def test_fault_22_balance_and_flow_cover_the_same_interval(audited: Lake) -> None:
    """From 03:00 to 03:00: -20 + 5. One extract a day suffices, and a real drift of 10 is still found."""
    rows = recon(audited, D1)
    assert rows["calm"] == (-15, -15, "FULL", "OK")
    assert rows["leaky"] == (-10, 0, "FULL", "DRIFT")
    opening_and_closing = audited.sql(
        "select opening_ts, closing_ts from gold.recon_daily_snapshot_flow where date_kst = ? and user_id = 'calm'",
        [D1],
    )
    assert opening_and_closing == [(stored(D1, "03:00:00"), stored(D2, "03:00:00"))]
    assert [(day, kind, subject) for day, kind, _, _, subject in audited.exceptions() if subject] == [
        (D1, "RECON_DRIFT_HIGH", "leaky")
    ]


def test_fault_23_wallets_and_days_without_snapshot_are_reported(audited: Lake) -> None:
    """Flow of a wallet that is in no extract; flow after the last extract before a gap; a day between two extracts."""
    assert recon(audited, D1)["ghost"] == (None, 20, "NO_SNAPSHOT", "UNRECONCILED")
    assert recon(audited, D2)["calm"] == (None, 0, "STALE_SNAPSHOT", "UNRECONCILED")
    assert audited.sql("select count(*) from silver.wallet_snapshot where snapshot_date_kst = ?", [D4]) == [(0,)]
    # 85 to 60, although 10 of the 25 are of the day itself and 15 of the day before the gap
    assert recon(audited, D4)["calm"] == (-25, -25, "FULL", "OK")


def test_fault_24_supply_counts_every_wallet_and_an_empty_day_is_not_ok(audited: Lake) -> None:
    """calm 80, leaky 40, treasury 900, funded 100, still 7 from the extract before, tie 10, twin 2 at 24:00."""
    totals = supply(audited, "wallet_total_balance", "stale_wallet_count")
    assert totals[D1] == (Decimal("1139.00"), 2)  # still and twin were last seen more than 12 h before
    assert audited.sql("select balance_total from gold.wallet_balance_daily where user_id = 'still'") == [(7,)] * 4
    assert supply(audited, "verdict", "is_ok")[D3] == ("NO_DATA", False)


def test_fault_25_signs_of_the_supply_are_data_and_the_treasury_is_reconciled(
    audited: Lake, new_lake: Callable[..., Lake]
) -> None:
    """A platform that funds charges from a minted treasury says so in the seed; the days are computed anew."""
    assert recon(audited, D1)["treasury"] == (900, 900, "FULL", "OK")
    assert supply(audited, "issued_supply")[D1] == (Decimal("1100.00"),)
    entry_types = (PROJECT / "seeds" / "entry_types.csv").read_text(encoding="utf-8")
    changed = entry_types.replace("CHARGE,1,1,,", "CHARGE,1,-1,,")
    assert changed != entry_types
    lake = copy_of(audited, new_lake, seeds={"entry_types": changed})
    lake.run_clean(pipelines=["silver", "controls"])
    issued = supply(lake, "issued_supply")
    assert {issued[day] for day in (D1, D2, D3, D4)} == {(Decimal("900.00"),)}


def test_fault_26_supply_continues_from_the_day_before(audited: Lake, new_lake: Callable[..., Lake]) -> None:
    """The entries of the past are gone from Silver, and the next day still knows what was issued."""
    lake = copy_of(audited, new_lake)
    lake.sql("delete from silver.ledger_entries")
    lake.load({"transaction_ledger": [entry("burn", "treasury", "BURN", 30, kst(D5, "10:00:00"))]})
    lake.run_clean(D5, pipelines=["silver", "controls"])
    assert supply(lake, "issued_supply")[D5] == (Decimal("1070.00"),)


def test_fault_29_of_equal_snapshots_the_choice_is_fixed(audited: Lake) -> None:
    """18:00 and 06:00 are 6 h from midnight: the earlier closes the day. Of one instant the later line stands."""
    assert recon(audited, D1)["tie"] == (0, 0, "FULL", "OK")
    assert recon(audited, D2)["tie"] == (10, 10, "FULL", "OK")
    assert audited.sql("select balance_total from silver.wallet_snapshot where user_id = 'twin'") == [(2,)]


@dataclass(frozen=True, kw_only=True)
class Gated:
    """What the controls said of each day while the ledger was silent, and after its entries had arrived."""

    recon: list[dict[date, tuple[Any, ...]]]
    supply: list[dict[date, tuple[Any, ...]]]
    exceptions: list[list[tuple[Any, ...]]]
    tags: list[dict[tuple[str, date], str]]


@pytest.fixture(scope="module")
def gated(new_lake: Callable[..., Lake]) -> Gated:
    lake = new_lake(checks=False)
    result = Gated(recon=[], supply=[], exceptions=[], tags=[])
    # 5 are lost each day; the ledger is silent from 21:00 of the first day to 21:00 of the third, and after that
    lake.load(
        {
            "user_wallets": [
                snapshot("leaky", 100 - 5 * number, kst(day, "00:00:00")) for number, day in enumerate((D1, D2, D3, D4))
            ],
            "transaction_ledger": [
                entry("first", "other", "MINT", 1, kst(D1, "21:00:00")),
                entry("third", "other", "MINT", 1, kst(D3, "21:00:00")),
            ],
        }
    )
    for load in ({}, {"transaction_ledger": [entry("late", "other", "MINT", 1, kst(D2, "21:00:00"))]}):
        if load:
            lake.load(load)
        lake.run_clean(pipelines=["guardrail", "silver", "controls"])
        rows = lake.sql(
            "select date_kst, drift_abs, verdict, severity, dq_tag from gold.recon_daily_snapshot_flow"
            " where user_id = 'leaky'"
        )
        result.recon.append({row[0]: row[1:] for row in rows})
        result.supply.append(supply(lake, "diff_amount", "verdict", "severity", "dq_tag"))
        result.exceptions.append([row[:3] for row in lake.exceptions() if row[1].startswith(("RECON", "SUPPLY"))])
        result.tags.append(
            {
                (source, day): tag
                for source, day, tag in lake.sql("select source_table, date_kst, dq_tag from silver.int_dq_day_tags")
            }
        )
    return result


def test_fault_27_only_tags_of_sources_the_control_reads_gate_it_and_recovery_clears_it(gated: Gated) -> None:
    """Payment orders never came at all; only the silent ledger of the second day closes the gate, until it recovers."""
    silent, recovered = gated.tags
    assert silent["bronze.payment_orders_raw", D1] == "EVENT_DROP_SUSPECTED"
    assert silent["bronze.transaction_ledger_raw", D2] == "SOURCE_STALE"
    assert recovered["bronze.transaction_ledger_raw", D2] is None
    for control in (gated.recon, gated.supply):
        assert {day: row[-1] for day, row in control[0].items()} == {
            D1: None,
            D2: "SOURCE_STALE",
            D3: None,
        }
        assert {day: row[-1] for day, row in control[1].items()} == {D1: None, D2: None, D3: None}


def test_fault_28_a_tag_suppresses_the_verdict_and_keeps_the_figures(gated: Gated) -> None:
    """No severity and no exception for the tagged day, as the architecture says; both when the day is cleared."""
    assert gated.recon[0][D2] == (5, "SUPPRESSED", None, "SOURCE_STALE")
    assert gated.recon[1][D2] == (5, "DRIFT", "CRITICAL", None)
    assert gated.supply[0][D2] == (Decimal("-89.00"), "SUPPRESSED", None, "SOURCE_STALE")
    assert gated.supply[1][D2] == (Decimal("-88.00"), "MISMATCH", "CRITICAL", None)
    untagged = [(day, kind, "CRITICAL") for day in (D1, D3) for kind in ("RECON_DRIFT_HIGH", "SUPPLY_MISMATCH")]
    cleared = [(D2, kind, "CRITICAL") for kind in ("RECON_DRIFT_HIGH", "SUPPLY_MISMATCH")]
    assert gated.exceptions[0] == untagged
    assert gated.exceptions[1] == sorted(untagged + cleared)
