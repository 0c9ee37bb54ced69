"""Every planted fault is reported: right day, right wallet or source, right kind; and nothing else is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from python_jobs.generate import KINDS, Fault, GenerateRequest, generate
from tests.lakes import Lake

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

FIRST = date(2026, 2, 1)
DAYS = 24
DELIVERIES_PER_RUN = 3

FAULTS = (
    Fault(kind="missing_entry", day=2),
    Fault(kind="doubled_entry", day=3),
    Fault(kind="late_row", day=3),  # crosses from one run to the next
    Fault(kind="wrong_sign", day=4),
    Fault(kind="unknown_type", day=5),
    Fault(kind="bad_amount", day=6),
    Fault(kind="missing_event_time", day=7),
    Fault(kind="conflicting_entry", day=8),
    Fault(kind="repeated_lines", day=9),
    Fault(kind="lost_snapshot", day=10),
    Fault(kind="negative_balance", day=11),
    Fault(kind="tampered_balance", day=12),
    Fault(kind="stale_source", day=13, table="payment_orders_raw"),
    Fault(kind="stale_source", day=14, table="user_wallets_raw"),
    Fault(kind="bad_status", day=16),
    Fault(kind="dropped_window", day=17, hours=1.5),
    Fault(kind="stale_source", day=19, table="transaction_ledger_raw"),
    Fault(kind="missing_entry", day=21),
    Fault(kind="wrong_sign", day=21),
    Fault(kind="late_row", day=21),
    Fault(kind="mint_without_backing", day=22),
    Fault(kind="missing_entry", day=DAYS),
)


@dataclass(frozen=True, kw_only=True)
class Audited:
    """A warehouse over generated days and what was planted in them; exceptions seen right after each run."""

    lake: Lake
    truth: dict[str, Any]
    seen: set[tuple[Any, ...]]

    @property
    def expected(self) -> dict[str, list[dict[str, Any]]]:
        expected: dict[str, list[dict[str, Any]]] = self.truth["expected"]
        return expected


def deliver(lake: Lake, raw: Path, days: Iterable[date]) -> None:
    """Load the deliveries that close some days."""
    folder = lake.work / "deliveries"
    for day in days:
        for path in raw.glob(f"*/{day}.jsonl"):
            target = folder / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    report = lake.load_folder(folder)
    assert report.problems == []
    shutil.rmtree(folder)


def midnight_after(day: date) -> datetime:
    """A moment after the files that close a KST day have come."""
    return datetime(day.year, day.month, day.day, 16, tzinfo=UTC)


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Audited:
    work = tmp_path_factory.mktemp("planted")
    raw = work / "raw"
    request = GenerateRequest(
        out=raw, days=DAYS, wallets=250, entries=DAYS * 600, seed=11, first_day=FIRST, faults=FAULTS
    )
    generate(request)
    lake = Lake(work=work, manifest=manifest)
    seen: set[tuple[Any, ...]] = set()
    first = FIRST
    deliver(lake, raw, [FIRST - timedelta(days=1)])
    while first < FIRST + timedelta(days=DAYS):
        days = [first + timedelta(days=n) for n in range(DELIVERIES_PER_RUN)]
        lake.now = midnight_after(days[-1])
        deliver(lake, raw, days)
        lake.run_clean(days[0], days[-1])
        seen |= set(lake.exceptions())
        first = days[-1] + timedelta(days=1)
    return Audited(lake=lake, truth=json.loads((raw / "truth.json").read_text()), seen=seen)


def identity(row: dict[str, Any]) -> tuple[Any, ...]:
    """An exception of truth.json as ``Lake.exceptions`` shows it."""
    return (
        date.fromisoformat(row["date_kst"]),
        row["exception_type"],
        row["severity"],
        row["source_table"],
        row["subject"],
    )


def in_range(exceptions: Iterable[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    """Exceptions of the generated days; the extract that closes the last day counts in the day after it."""
    return {exception for exception in exceptions if exception[0] < FIRST + timedelta(days=DAYS)}


def test_every_kind_of_fault_is_planted(audited: Audited) -> None:
    assert {fault["kind"] for fault in audited.truth["faults"]} == set(KINDS)
    assert len(audited.truth["faults"]) == len(FAULTS)


def test_open_exceptions_are_exactly_the_expected_ones(audited: Audited) -> None:
    found = in_range(audited.lake.exceptions())
    expected = {identity(row) for row in audited.expected["exceptions"]}
    assert {"missing": expected - found, "false alarms": found - expected} == {"missing": set(), "false alarms": set()}
    assert len(expected) > len(FAULTS)


def test_amounts_of_drifts_and_mismatches_are_exact(audited: Audited) -> None:
    rows = audited.lake.sql(
        "select date_kst, exception_type, subject, metric_value from gold.exception_ledger"
        " where resolved_at is null and domain = 'ledger'"
    )
    found = {(str(day), kind, subject): f"{value:.2f}" for day, kind, subject, value in rows}
    expected = {
        (row["date_kst"], row["exception_type"], row["subject"]): row["metric_value"]
        for row in audited.expected["exceptions"]
        if "metric_value" in row
    }
    assert found == expected


def test_late_rows_raise_until_they_arrive_and_are_resolved_then(audited: Audited) -> None:
    late = {identity(row) for row in audited.expected["resolved_exceptions"]}
    crossing = {
        exception for exception in late if (exception[0] - FIRST).days % DELIVERIES_PER_RUN == DELIVERIES_PER_RUN - 1
    }
    assert len(crossing) == 2
    assert crossing <= audited.seen
    assert crossing.isdisjoint(audited.lake.exceptions())
    resolved = audited.lake.sql(
        "select date_kst, subject from gold.exception_ledger where resolution = 'CLEARED' and domain = 'ledger'"
    )
    assert {(day, subject) for day, _, _, _, subject in crossing} <= set(resolved)


def test_nothing_is_seen_at_any_time_that_was_not_planted(audited: Audited) -> None:
    expected = {identity(row) for kind in ("exceptions", "resolved_exceptions") for row in audited.expected[kind]}
    assert in_range(audited.seen) - expected == set()


def test_quarantined_lines_are_exactly_the_expected_ones(audited: Audited) -> None:
    found = audited.lake.sql("select bronze_table, source_table, reason from silver.bad_records")
    expected = [(row["bronze_table"], row["source_table"], row["reason"]) for row in audited.expected["bad_records"]]
    assert sorted(found) == sorted(expected)


def test_wallets_that_cannot_be_reconciled_are_exactly_the_expected_ones(audited: Audited) -> None:
    found = audited.lake.sql(
        "select date_kst, user_id, coverage from gold.recon_daily_snapshot_flow where verdict = 'UNRECONCILED'"
    )
    expected = {
        (date.fromisoformat(row["date_kst"]), row["user_id"], row["coverage"])
        for row in audited.expected["unreconciled"]
    }
    assert {row for row in found if row[0] < FIRST + timedelta(days=DAYS)} == expected
    assert len({day for day, _, _ in expected}) == 3


def test_all_at_once_gives_what_the_runs_along_the_way_gave(audited: Audited, manifest: Manifest) -> None:
    lake = Lake(work=audited.lake.work / "at_once", manifest=manifest, now=audited.lake.now)
    assert lake.load_folder(audited.lake.work / "raw").problems == []
    lake.run_clean(FIRST, FIRST + timedelta(days=DAYS - 1))
    assert in_range(lake.exceptions()) == in_range(audited.lake.exceptions())
