"""Generated files: reproducible, balanced to the won, and refused in plain words where they cannot be made."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from python_jobs.contracts import json_schema, read_contracts
from python_jobs.generate import KINDS, Fault, GenerateRequest, generate, read_faults
from python_jobs.warehouse import LakeError
from tests.dbt_runs import PROJECT
from tests.oracle.rules import read_csv

SIGNS = {row["entry_type"]: int(row["sign"]) for row in read_csv(PROJECT / "seeds" / "entry_types.csv")}


def request(out: Path, **changes: Any) -> GenerateRequest:
    base = GenerateRequest(out=out, days=3, wallets=120, entries=2500, seed=3, first_day=date(2026, 2, 1))
    return replace(base, **changes)


def lines(folder: Path, table: str) -> list[dict[str, Any]]:
    return [json.loads(line) for path in sorted((folder / table).iterdir()) for line in path.open(encoding="utf-8")]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.json*")}


def test_the_same_request_gives_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    for name, seed in {"a": 3, "b": 3, "c": 4}.items():
        generate(request(tmp_path / name, seed=seed, faults=(Fault(kind="bad_amount", day=2),)))
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert content(tmp_path / "a") != content(tmp_path / "c")


def test_a_fault_changes_nothing_but_its_own_lines(tmp_path: Path) -> None:
    generate(request(tmp_path / "clean"))
    generate(request(tmp_path / "faulty", faults=(Fault(kind="missing_entry", day=2), Fault(kind="late_row", day=1))))
    clean, faulty = content(tmp_path / "clean"), content(tmp_path / "faulty")
    changed = {name for name in clean if clean[name] != faulty[name]}
    ledger = {f"transaction_ledger_raw/2026-02-0{day}.jsonl" for day in (1, 2)}
    assert changed == ledger | {"truth.json"}


@pytest.mark.parametrize(("days", "wallets", "entries"), [(1, 3, 10), (1, 50, 999), (5, 333, 4001), (30, 40, 300)])
def test_the_ledger_has_the_entries_asked_for_and_explains_every_balance(
    tmp_path: Path, days: int, wallets: int, entries: int
) -> None:
    generate(request(tmp_path / "raw", days=days, wallets=wallets, entries=entries))
    ledger = sorted(lines(tmp_path / "raw", "transaction_ledger_raw"), key=lambda line: str(line["created_at"]))
    assert len(ledger) == entries
    assert len({(line["tx_id"], line["wallet_id"]) for line in ledger}) == entries
    snapshots = sorted(lines(tmp_path / "raw", "user_wallets_raw"), key=lambda line: str(line["source_extracted_at"]))
    balance: dict[str, Decimal] = defaultdict(Decimal)
    position = 0
    for snapshot in snapshots:
        while position < entries and ledger[position]["created_at"] <= snapshot["source_extracted_at"]:
            line = ledger[position]
            balance[line["wallet_id"]] += SIGNS[line["type"]] * Decimal(line["amount"])
            position += 1
        available, frozen = Decimal(snapshot["balance"]), Decimal(snapshot["frozen_amount"])
        assert available >= 0
        assert frozen >= 0
        assert available + frozen == balance[snapshot["user_id"]]
    assert position == entries
    assert len({snapshot["user_id"] for snapshot in snapshots}) == wallets


def test_every_line_fits_the_contract_of_its_table(tmp_path: Path) -> None:
    generate(request(tmp_path / "raw"))
    for name, table in read_contracts(PROJECT).items():
        if (tmp_path / "raw" / name).is_dir():
            validator = jsonschema.Draft202012Validator(json_schema(table))
            assert [
                error.message for line in lines(tmp_path / "raw", name) for error in validator.iter_errors(line)
            ] == []


def test_activity_continues_across_midnight(tmp_path: Path) -> None:
    """Late orders settle and refunds come on a later day: the order is delivered again with its new status."""
    generate(request(tmp_path / "raw", entries=9000))
    statuses: dict[str, list[str]] = defaultdict(list)
    for line in lines(tmp_path / "raw", "payment_orders_raw"):
        statuses[line["order_id"]].append(line["status"])
    stories = {tuple(story) for story in statuses.values()}
    assert {("PENDING", "PAID"), ("PAID", "REFUNDED"), ("REFUNDED",), ("FAILED",), ("CANCELLED",)} <= stories


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"wallets": 2}, "wallets are too few"),
        ({"entries": 29}, "at least 30"),
        ({"faults": (Fault(kind="flood", day=1),)}, "unknown kind of fault 'flood': choose among missing_entry"),
        ({"faults": (Fault(kind="bad_amount", day=4),)}, "there are days 1 to 3"),
        ({"faults": (Fault(kind="bad_amount", day=0),)}, "there are days 1 to 3"),
        ({"faults": (Fault(kind="late_row", day=3),)}, "after the last day"),
        ({"faults": (Fault(kind="stale_source", day=1, table="orders_raw"),)}, "table is one of"),
        ({"faults": (Fault(kind="dropped_window", day=1, hours=13),)}, "between 0 and 12"),
    ],
)
def test_what_cannot_be_generated_is_refused_before_a_file_is_written(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(LakeError, match=words):
        generate(request(tmp_path / "raw", **changes))
    assert list(tmp_path.iterdir()) == []


def test_a_fault_that_fits_no_line_leaves_no_file(tmp_path: Path) -> None:
    silent = Fault(kind="stale_source", day=2, table="transaction_ledger_raw")
    with pytest.raises(LakeError, match="nothing fits missing_entry on day 2"):
        generate(request(tmp_path / "raw", faults=(silent, Fault(kind="missing_entry", day=2))))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    generate(request(tmp_path / "raw"))  # an empty one is fine
    before = content(tmp_path / "raw")
    with pytest.raises(LakeError, match="is not empty"):
        generate(request(tmp_path / "raw", seed=9))
    assert content(tmp_path / "raw") == before


def test_faults_are_read_from_json_and_yaml(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text('[{"kind": "stale_source", "day": 2, "table": "user_wallets_raw"}]')
    (tmp_path / "f.yml").write_text("- {kind: dropped_window, day: 1, hours: 3}\n- kind: late_row\n  day: 1\n")
    assert read_faults(tmp_path / "f.json") == (Fault(kind="stale_source", day=2, table="user_wallets_raw"),)
    assert read_faults(tmp_path / "f.yml") == (
        Fault(kind="dropped_window", day=1, hours=3),
        Fault(kind="late_row", day=1),
    )


@pytest.mark.parametrize(
    "text", ["{", '{"kind": "late_row"}', '[{"kind": "late_row"}]', '[{"kind": 1, "day": 1}]', "[1]"]
)
def test_an_unreadable_file_of_faults_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "f.json").write_text(text)
    with pytest.raises(LakeError, match=r"f\.json"):
        read_faults(tmp_path / "f.json")


def test_every_kind_is_described() -> None:
    assert all(KINDS.values())
