"""The part of ``plura demo`` that looks up a transaction of the generated days."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from plura.cli.demo_lookup import look_up_one
from python_jobs.generate import Fault, GenerateRequest, generate


def test_a_transaction_of_the_raw_files_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLURA_DATABASE_URL", "postgresql://somebody@elsewhere/else")  # the demo keeps to its own
    raw = tmp_path / "raw"
    bad = Fault(kind="bad_amount", day=2)
    generate(
        GenerateRequest(out=raw, days=2, wallets=30, entries=300, seed=7, first_day=date(2026, 2, 1), faults=(bad,)),
        lambda *_: None,
    )
    lines = [
        json.loads(line)
        for table in ("transaction_ledger_raw", "payment_orders_raw")
        for file in (raw / table).glob("*.jsonl")
        for line in file.read_text().splitlines()
    ]
    found = look_up_one(raw, tmp_path / "pg", lambda *_: None)
    assert (found.events, found.failed) == (len(lines), 1)
    by_id = {line["tx_id"]: line for line in lines if "tx_id" in line}
    paid, received = by_id[found.answer["tx_id"]], by_id[found.answer["paired_tx_id"]]
    shown = {
        name: found.answer[name] for name in ("amount", "sender_wallet_id", "receiver_wallet_id", "pairing_status")
    }
    assert shown == {
        "amount": paid["amount"],
        "sender_wallet_id": paid["wallet_id"],
        "receiver_wallet_id": received["wallet_id"],
        "pairing_status": "COMPLETE",
    }
    assert found.path == f"/admin/tx/{paid['tx_id']}"
