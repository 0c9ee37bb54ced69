"""The command that a load, a withdrawal and a reinstatement name: the run of the KST days that they touched."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from plura.cli.next_run import LONGEST_RANGE_DAYS, say_next_run
from python_jobs.generate import GenerateRequest, generate
from tests.commands import Plura
from tests.loads import GOOD, Bronze

D1, D2, D3, D9 = (date(2026, 2, day) for day in (1, 2, 3, 9))
LEDGER, WALLET = GOOD["transaction_ledger"], GOOD["user_wallets"]
NEXT = "next: plura lake run"


@pytest.fixture
def raw(tmp_path: Path) -> Bronze:
    """An empty warehouse and an empty folder."""
    return Bronze(work=tmp_path)


@pytest.fixture
def plura(raw: Bronze) -> Plura:
    """The command on that warehouse."""
    return Plura(work=raw.work, settings={})


def load(plura: Plura, raw: Bronze, *options: str) -> list[str]:
    """Load the folder; the lines that are printed after the first."""
    outcome = plura("lake", "load", raw.folder, "--no-validate", *options)
    assert outcome.code == 0
    return outcome.out.splitlines()[1:]


def at(text: str) -> dict[str, str]:
    return {"created_at": text}


DAYS: list[tuple[str, list[dict[str, Any]], set[date]]] = [
    ("transaction_ledger", [LEDGER | at("2026-02-01T14:59:59.999999Z")], {D1}),
    ("transaction_ledger", [LEDGER | at("2026-02-01T15:00:00Z")], {D2}),
    ("transaction_ledger", [LEDGER | at("2026-02-02T00:00:00+09:00")], {D2}),
    ("transaction_ledger", [LEDGER | at("2026-02-01"), LEDGER | at("2026-02-03")], {D1, D3}),
    ("payment_orders", [GOOD["payment_orders"] | at("2026-02-02")], {D2}),
    ("orders", [GOOD["orders"] | at("2026-02-03")], {D3}),
    ("user_wallets", [WALLET | {"source_extracted_at": "2026-02-01T05:00:00Z"}], {D1}),
    ("user_wallets", [WALLET | {"updated_at": "2026-02-02T05:00:00Z"}], {D2}),
    ("order_items", [GOOD["order_items"] | {"updated_at": "2026-02-02"}], set()),
    ("products", [GOOD["products"]], set()),
    # times that nobody means, or that cannot be read
    ("transaction_ledger", [LEDGER | at("1970-01-01"), LEDGER | at("2026-02-02")], {D2}),
    (
        "transaction_ledger",
        [LEDGER | at("1989-12-31T23:59:59Z"), LEDGER | at("1990-01-01T00:00:00Z")],
        {date(1990, 1, 1)},
    ),
    ("transaction_ledger", [LEDGER | at("2126-02-01"), LEDGER | at("2026-02-02")], {D2}),
    ("transaction_ledger", [LEDGER | at("yesterday"), LEDGER | at("2026-02-02")], {D2}),
    ("transaction_ledger", [LEDGER | {"created_at": None}], set()),
    ("user_wallets", [WALLET | {"source_extracted_at": "1970-01-01", "updated_at": "2026-02-02"}], set()),
]


@pytest.mark.parametrize(("source", "lines", "days"), DAYS)
def test_days_are_those_of_the_lines(raw: Bronze, source: str, lines: list[dict[str, Any]], days: set[date]) -> None:
    raw.write(f"{source}.jsonl", *lines, "no json")
    assert raw.load().days == days


def test_a_snapshot_after_a_day_does_not_name_the_next_day(raw: Bronze) -> None:
    """The extract that closes a day is dated the next day; a run of that day would miss its events."""
    raw.write("transaction_ledger.jsonl", LEDGER | at("2026-02-01T03:00:00Z"), LEDGER | at("2026-02-02T03:00:00Z"))
    texts = ("2026-01-31T15:00:00Z", "2026-02-01T15:05:00Z", "2026-02-02T15:00:00Z", "2026-02-02T20:00:00Z")
    raw.write("user_wallets.jsonl", *[WALLET | {"source_extracted_at": text} for text in texts])
    assert raw.load().days == {D1, D2}


def test_snapshots_alone_name_their_days(raw: Bronze) -> None:
    texts = ("2026-01-31T15:00:00Z", "2026-02-01T15:00:00Z", "2026-02-02T23:00:00Z")
    raw.write("user_wallets.jsonl", *[WALLET | {"source_extracted_at": text} for text in texts])
    assert raw.load().days == {D1, D2, D3}


def test_a_snapshot_far_from_the_events_names_its_day(raw: Bronze) -> None:
    raw.write("transaction_ledger.jsonl", LEDGER | at("2026-02-01T03:00:00Z"))
    raw.write("user_wallets.jsonl", WALLET | {"source_extracted_at": "2026-02-09T03:00:00Z"})
    assert raw.load().days == {D1, D9}


def test_generated_days_are_named_as_the_readme_runs_them(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    generate(GenerateRequest(out=raw, days=3, wallets=20, entries=200, seed=1, first_day=D1))
    printed = Plura(work=tmp_path, settings={})("lake", "load", raw, "--no-validate").out
    assert printed.splitlines()[-1] == f"{NEXT} --from 2026-02-01 --to 2026-02-03"


def test_a_load_names_the_run_of_what_is_new_and_nothing_where_nothing_is(plura: Plura, raw: Bronze) -> None:
    raw.write("transaction_ledger/a.jsonl", LEDGER | at("2026-02-01T03:00:00Z"))
    assert load(plura, raw, "--target", "duckdb") == [f"{NEXT} --from {D1} --to {D1} --target duckdb"]
    assert load(plura, raw) == []
    raw.write("transaction_ledger/b.jsonl", LEDGER | at("2026-02-03T03:00:00Z") | {"tx_id": "tx_2"})
    raw.write("orders.jsonl")
    assert load(plura, raw) == [f"{NEXT} --from {D3} --to {D3}"]
    raw.write("products.jsonl", GOOD["products"])
    assert load(plura, raw) == [NEXT]


def test_a_withdrawal_and_a_reinstatement_name_the_days_of_their_batches(plura: Plura, raw: Bronze) -> None:
    for number, day in enumerate((D1, D3, D9)):
        raw.write(f"transaction_ledger/{number}.jsonl", LEDGER | {"tx_id": f"tx_{number}"} | at(f"{day}T03:00:00Z"))
    load(plura, raw)
    first, second, _ = (row[0] for row in raw.sql("select batch_id from bronze.load_registry order by batch_seq"))
    for command in ("withdraw", "reinstate"):
        outcome = plura("lake", command, first, second, "--reason", "x", "--target", "duckdb")
        assert outcome.out.splitlines()[-1] == f"{NEXT} --from {D1} --to {D3} --target duckdb"
    assert plura("lake", "withdraw", second, "--reason", "x").out.splitlines()[-1] == f"{NEXT} --from {D3} --to {D3}"
    assert load(plura, raw) == [f"{NEXT} --from {D3} --to {D3}"]  # loading it again reinstates it


def said(capsys: pytest.CaptureFixture[str], days: set[date], now: datetime | None = None) -> list[str]:
    say_next_run(days, None, now or datetime(2026, 3, 1, tzinfo=UTC))
    return capsys.readouterr().out.splitlines()


def test_a_day_that_is_still_open_is_not_named(capsys: pytest.CaptureFixture[str]) -> None:
    """15:00 UTC is midnight in Korea."""
    before, after = datetime(2026, 2, 2, 14, 59, 59, tzinfo=UTC), datetime(2026, 2, 2, 15, tzinfo=UTC)
    still = f"the KST day {D2} is still open: {D2} can be computed from {D3} 00:00 KST on"
    assert said(capsys, {D1, D2}, before) == [f"{NEXT} --from {D1} --to {D1}", still]
    assert said(capsys, {D1, D2}, after) == [f"{NEXT} --from {D1} --to {D2}"]
    assert said(capsys, {D2}, before) == [still]
    both = f"the KST days from {D2} to {D3} are still open: {D3} can be computed from 2026-02-04 00:00 KST on"
    assert said(capsys, {D2, D3}, before) == [both]


def test_what_is_named_is_what_a_run_takes(plura: Plura, raw: Bronze) -> None:
    """Lines of today: the run of the days that are named is not refused for an open day."""
    today = (datetime.now(UTC) + timedelta(hours=9)).date()
    days = (today - timedelta(days=1), today)
    raw.write("transaction_ledger.jsonl", *[LEDGER | at(f"{day}T00:00:01+09:00") | {"tx_id": f"{day}"} for day in days])
    named, still = load(plura, raw)
    assert named == f"{NEXT} --from {days[0]} --to {days[0]}"
    assert still.startswith(f"the KST day {today} is still open: ")


def test_days_far_apart_are_ranges_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    """A run computes each day that it names: a year without lines would be a year of alarms."""
    old = date(2020, 5, 1)
    assert said(capsys, {D1, D3}) == [f"{NEXT} --from {D1} --to {D3}"]
    assert said(capsys, {D1, D1 + timedelta(days=31)}, datetime(2027, 1, 1, tzinfo=UTC)) == [
        f"{NEXT} --from {D1} --to {D1 + timedelta(days=31)}"
    ]
    assert said(capsys, {old, D1, D2}) == [f"{NEXT} --from {old} --to {old}", f"{NEXT} --from {D1} --to {D2}"]
    assert said(capsys, {old - timedelta(days=n * 100) for n in range(4)}) == [NEXT]
    assert said(capsys, set()) == [NEXT]


def test_no_range_is_longer_than_a_run_takes(capsys: pytest.CaptureFixture[str]) -> None:
    first = date(2010, 1, 1)
    lines = said(capsys, {first + timedelta(days=n) for n in range(LONGEST_RANGE_DAYS + 100)})
    assert len(lines) == 2
    for line in lines:
        start, end = (date.fromisoformat(word) for word in line.split() if word[:2] == "20")
        assert (end - start).days <= LONGEST_RANGE_DAYS
