"""Files through the same path as topics: summary, exit code, range, resume."""

from __future__ import annotations

import codecs
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.commands import Plura
from tests.postgres import TestDatabase
from tests.transactions.oracle import LEDGER_TOPIC, ORDER_TOPIC, state_of
from tests.transactions.storing import state_in


@pytest.fixture
def plura(bo: TestDatabase, tmp_path: Path) -> Plura:
    return Plura(work=tmp_path, settings={"PLURA_DATABASE_URL": bo.url})


def entries(count: int, **values: Any) -> list[bytes]:
    return [
        json.dumps(
            {
                "tx_id": f"t{number}",
                "wallet_id": f"w{number % 7}",
                "entry_type": ("PAYMENT", "RECEIVE")[number % 2],
                "amount": "10.00",
                "related_id": f"o{number // 2}",
                "event_time": f"2026-02-{1 + number % 28:02}T00:00:00Z",
                **values,
            }
        ).encode()
        for number in range(count)
    ]


def orders(count: int) -> list[bytes]:
    return [
        json.dumps(
            {"order_id": f"o{number}", "amount": 10, "status": "SETTLED", "created_at": "2026-02-01T00:00:00Z"}
        ).encode()
        for number in range(count)
    ]


def written(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def test_files_are_stored_with_a_summary_and_again_without_a_change(
    plura: Plura, bo: TestDatabase, tmp_path: Path
) -> None:
    ledger, order = entries(250), orders(100)
    files = (
        *("--ledger-file", written(tmp_path / "ledger.jsonl", [*ledger[:50], b"", b"  ", *ledger[50:]])),
        *("--payment-order-file", written(tmp_path / "orders.jsonl", order)),
    )
    first = plura("tx", "backfill", *files, "--batch", "40")
    assert (first.code, first.err) == (0, "")
    printed = first.out.splitlines()
    assert printed[0].startswith("ledger.jsonl: 250 events, 250 rows new or changed, 0 bad (")
    assert printed[1].startswith("orders.jsonl: 100 events, 100 rows new or changed, 0 bad (")
    with bo.client().connect("check") as connection:
        assert state_in(connection) == state_of(
            [*((LEDGER_TOPIC, event) for event in ledger), *((ORDER_TOPIC, event) for event in order)]
        )
    again = plura("tx", "backfill", *files)
    assert again.code == 0
    assert "250 events, 0 rows new or changed" in again.out


def test_bad_lines_are_put_aside_once_and_set_the_exit_code(plura: Plura, bo: TestDatabase, tmp_path: Path) -> None:
    lines = [*entries(3), b"{not json", b"[]", *entries(5)[3:], b'{"tx_id": "t9"}', b"\xff"]
    file = written(tmp_path / "ledger.jsonl", lines)
    for _ in range(2):
        outcome = plura("tx", "backfill", "--ledger-file", file)
        assert outcome.code == 1
        assert "4 events are bad" in outcome.error
        assert "9 events" in outcome.out
    assert bo.sql("select count(*) from bo.ledger_entries") == [(5,)]
    assert bo.sql(
        'select topic, partition, "offset", line, error, payload from bo.consumer_dlq_events order by line'
    ) == [
        ("backfill-ledger", None, None, line, error, lines[line - 1])
        for line, error in ((4, "parse_error"), (5, "parse_error"), (8, "parse_error"), (9, "internal_error"))
    ]


@pytest.mark.parametrize("before", [b"", b"\n", b"  \n"], ids=["event", "empty line", "blank line"])
def test_a_byte_order_mark_begins_a_file_and_is_no_part_of_its_first_line(
    plura: Plura, tmp_path: Path, before: bytes
) -> None:
    file = tmp_path / "ledger.jsonl"
    file.write_bytes(codecs.BOM_UTF8 + before + b"\n".join(entries(3)))
    outcome = plura("tx", "backfill", "--ledger-file", file)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("ledger.jsonl: 3 events, 3 rows new or changed, 0 bad (")


def test_a_byte_order_mark_within_a_file_makes_its_line_bad(plura: Plura, tmp_path: Path) -> None:
    first, second = entries(2)
    outcome = plura("tx", "backfill", "--ledger-file", written(tmp_path / "l.jsonl", [first, codecs.BOM_UTF8 + second]))
    assert outcome.code == 1
    assert outcome.out.startswith("l.jsonl: 2 events, 1 rows new or changed, 1 bad (")


def test_a_poison_line_of_the_database_counts_as_bad(plura: Plura, bo: TestDatabase, tmp_path: Path) -> None:
    bo.sql("alter table bo.ledger_entries add constraint poison check (tx_id <> 't13')")
    outcome = plura("tx", "backfill", "--ledger-file", written(tmp_path / "l.jsonl", entries(60)), "--batch", "50")
    assert outcome.code == 1
    assert "60 events, 59 rows new or changed, 1 bad" in outcome.out
    assert bo.sql("select events, failed, lines_done, finished_at is not null from bo.backfills") == [(60, 1, 60, True)]


def test_only_the_range_is_stored_both_ends_included(plura: Plura, bo: TestDatabase, tmp_path: Path) -> None:
    file = written(tmp_path / "ledger.jsonl", entries(28))
    outcome = plura(
        *("tx", "backfill", "--ledger-file", file, "--since", "2026-02-03", "--until", "2026-02-05T09:00:00+09:00")
    )
    assert outcome.code == 0
    assert "3 rows new or changed, 0 bad, 25 out of range" in outcome.out
    assert bo.sql("select tx_id from bo.ledger_entries order by event_time") == [("t2",), ("t3",), ("t4",)]


def test_a_line_without_end_is_bad_and_does_not_fill_the_memory(plura: Plura, bo: TestDatabase, tmp_path: Path) -> None:
    ledger = entries(2)
    long = b'{"tx_id": "' + b"x" * (1 << 24) + b'"}'
    outcome = plura("tx", "backfill", "--ledger-file", written(tmp_path / "l.jsonl", [ledger[0], long, ledger[1]]))
    assert outcome.code == 1
    assert bo.sql("select line, length(payload) from bo.consumer_dlq_events") == [(2, 1 << 24)]
    assert bo.sql("select count(*) from bo.ledger_entries") == [(2,)]


def test_a_killed_run_is_resumed_where_it_was_stored(plura: Plura, bo: TestDatabase, tmp_path: Path) -> None:
    lines = [*entries(20_000), b"bad", *entries(20_010)[20_000:]]
    lines[3] = b"bad too"
    file = written(tmp_path / "ledger.jsonl", lines)
    running = plura.start("tx", "backfill", "--ledger-file", file, "--batch", "100")
    deadline = time.monotonic() + 60
    while not bo.sql("select 1 from bo.backfills where lines_done >= 1000"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    running.kill()
    running.communicate()
    ((done, events, failed),) = bo.sql("select lines_done, events, failed from bo.backfills")
    assert (events, failed) == (done, 1)
    assert done < 20_000
    outcome = plura("tx", "backfill", "--ledger-file", file, "--resume")
    assert outcome.code == 1, "the bad line before the kill counts as well"
    assert f"{len(lines) - done:,} events" in outcome.out
    assert f"2 bad, {done:,} lines stored earlier" in outcome.out
    assert bo.sql("select count(*) from bo.ledger_entries") == [(20_009,)]
    assert bo.sql("select count(*) from bo.consumer_dlq_events") == [(2,)]


def test_a_signal_ends_it_between_two_transactions(plura: Plura, bo: TestDatabase, tmp_path: Path) -> None:
    file = written(tmp_path / "ledger.jsonl", entries(20_000))
    running = plura.start("tx", "backfill", "--ledger-file", file, "--batch", "100")
    deadline = time.monotonic() + 60
    while not bo.sql("select 1 from bo.backfills where lines_done >= 500"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(running.pid, signal.SIGTERM)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "--resume continues from there" in out


def test_an_error_is_reported(plura: Plura, tmp_path: Path, bo: TestDatabase) -> None:
    assert plura("tx", "backfill").code == 2
    assert plura("tx", "backfill", "--ledger-file", tmp_path / "none").code == 2
    file = written(tmp_path / "l.jsonl", entries(1))
    assert plura("tx", "backfill", "--ledger-file", file, "--since", "yesterday").code == 2
    assert plura("tx", "backfill", "--ledger-file", file, "--until", "0001-01-01T00:00:00+00:01").code == 2
    plura.settings["PLURA_DLQ_BACKEND"] = "file"
    assert "database only" in plura("tx", "backfill", "--ledger-file", file).error
    plura.settings |= {"PLURA_DLQ_BACKEND": "db", "EVENT_PROFILE_ID": "other"}
    assert "canonical-v1" in plura("tx", "backfill", "--ledger-file", file).error
    plura.settings["PLURA_DATABASE_URL"] = bo.server.url_of("postgres")
    plura.settings["EVENT_PROFILE_ID"] = "nsc-dev-v1"
    assert "migrat" in plura("tx", "backfill", "--ledger-file", file).error


def test_a_range_finer_than_a_microsecond_is_refused(plura: Plura, tmp_path: Path) -> None:
    file = written(tmp_path / "ledger.jsonl", entries(1))
    outcome = plura("tx", "backfill", "--ledger-file", file, "--since", "2026-02-03T00:00:00.123456789Z")
    assert outcome.code == 2
    assert "finer than a microsecond" in outcome.err
