"""Bad events once more: into the tables, through Kafka, and away when they are old."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from kafka import KafkaConsumer  # type: ignore[import-untyped]

from dev.servers.kafka import Broker
from plura.tx.consumer.heartbeat import remove_old_dead_letters
from tests.commands import Plura
from tests.postgres import TestDatabase
from tests.transactions.oracle import LEDGER_TOPIC
from tests.transactions.storing import Writer

POISON = "alter table bo.ledger_entries add constraint poison check (wallet_id <> 'poison')"
MENDED = "alter table bo.ledger_entries drop constraint poison"
UNMARKED = "select count(*) from bo.consumer_dlq_events where replayed_at is null"


@pytest.fixture
def plura(bo: TestDatabase, tmp_path: Path) -> Plura:
    return Plura(work=tmp_path, settings={"PLURA_DATABASE_URL": bo.url})


@pytest.fixture
def writer(bo: TestDatabase) -> Iterator[Writer]:
    writer = Writer(bo)
    yield writer
    writer.close()


def entry(tx_id: str, **values: Any) -> bytes:
    event = {"wallet_id": "poison", "entry_type": "PAYMENT", "amount": 1, "event_time": "2026-02-13T00:00:00Z"}
    return json.dumps({"tx_id": tx_id, **event, **values}).encode()


def test_fixed_events_are_stored_once_and_the_others_stay(plura: Plura, bo: TestDatabase, writer: Writer) -> None:
    bo.sql(POISON)
    writer.write(*((LEDGER_TOPIC, entry(f"t{number}", related_id="o1")) for number in range(5)), (LEDGER_TOPIC, b"{"))
    assert bo.sql(UNMARKED) == [(6,)]
    bo.sql(MENDED)
    outcome = plura("tx", "replay-dlq")
    assert (outcome.code, outcome.out) == (1, "5 events stored, 1 still bad\n")
    assert bo.sql("select count(*) from bo.ledger_entries") == [(5,)]
    assert bo.sql("select count(*) from bo.payment_ledger_pairs") == [(1,)]
    assert bo.sql("select payload from bo.consumer_dlq_events where replayed_at is null") == [(b"{",)]
    again = plura("tx", "replay-dlq")
    assert again.out == "0 events stored, 1 still bad\n"
    assert bo.sql("select count(*) from bo.consumer_dlq_events") == [(6,)]


def test_an_event_that_fails_again_stays_and_stops_no_other(plura: Plura, bo: TestDatabase, writer: Writer) -> None:
    bo.sql(POISON)
    writer.write(*((LEDGER_TOPIC, entry(f"t{number}")) for number in range(5)))
    bo.sql(MENDED)
    bo.sql("alter table bo.ledger_entries add constraint poison check (tx_id <> 't3')")
    assert plura("tx", "replay-dlq").out == "4 events stored, 1 still bad\n"
    assert bo.sql(UNMARKED) == [(1,)]


def test_lines_of_files_are_replayed_by_their_kind(plura: Plura, bo: TestDatabase, tmp_path: Path) -> None:
    bo.sql(POISON)
    file = tmp_path / "ledger.jsonl"
    file.write_bytes(entry("t1") + b"\n" + entry("t2"))
    assert plura("tx", "backfill", "--ledger-file", file).code == 1
    bo.sql(MENDED)
    assert plura("tx", "replay-dlq", "--topic", "backfill-ledger", "--into", "tables").code == 0
    assert bo.sql("select count(*) from bo.ledger_entries") == [(2,)]


def test_a_selection_is_kept_to(plura: Plura, bo: TestDatabase, writer: Writer) -> None:
    bo.sql(POISON)
    writer.write(*((LEDGER_TOPIC, entry(f"t{number}")) for number in range(8)), (LEDGER_TOPIC, b"{"))
    bo.sql(MENDED)
    ids = [number for (number,) in bo.sql("select dlq_id from bo.consumer_dlq_events order by 1")]
    bo.sql("update bo.consumer_dlq_events set ingested_at = '2026-01-01Z' where dlq_id = %s", [ids[0]])
    for words, stored in (
        (("--topic", "other"), 0),
        (("--until", "2026-01-01"), 1),
        (("--since", "2100-01-01"), 0),
        (("--min-id", str(ids[1]), "--max-id", str(ids[2])), 2),
        (("--limit", "2"), 2),
        (("--error", "internal_error"), 3),
    ):
        assert plura("tx", "replay-dlq", *words).out == f"{stored} events stored, 0 still bad\n"


def test_published_again_with_key_and_headers(
    plura: Plura, bo: TestDatabase, writer: Writer, broker: Broker, tmp_path: Path
) -> None:
    ledger, orders = broker.create_topic(), broker.create_topic()
    plura.settings |= {
        "PLURA_KAFKA_BOOTSTRAP": broker.bootstrap,
        "PLURA_LEDGER_TOPIC": ledger,
        "PLURA_PAYMENT_ORDER_TOPIC": orders,
    }
    message = writer.messages([(ledger, b"\xffnot json")])[0]._replace(
        key=b"k\xff", headers=[("h", b"\x00"), ("h", None)]
    )
    writer.ingest.write_messages([message])
    file = tmp_path / "orders.jsonl"
    file.write_bytes(b"[]\n")
    assert plura("tx", "backfill", "--payment-order-file", file).code == 1
    assert plura("tx", "replay-dlq").out == "2 events published again, 0 still bad\n"
    assert bo.sql(UNMARKED) == [(0,)]
    assert plura("tx", "replay-dlq").out == "0 events published again, 0 still bad\n"
    consumer = KafkaConsumer(
        ledger,
        orders,
        bootstrap_servers=broker.bootstrap,
        group_id=uuid4().hex,
        auto_offset_reset="earliest",
        consumer_timeout_ms=5000,
    )
    found = {message.topic: (message.key, message.value, list(message.headers)) for message in consumer}
    consumer.close()
    assert found == {
        ledger: (b"k\xff", b"\xffnot json", [("h", b"\x00"), ("h", b"")]),
        orders: (None, b"[]", []),
    }


def test_a_large_event_is_published_again(plura: Plura, bo: TestDatabase, writer: Writer, broker: Broker) -> None:
    ledger = broker.create_topic(max_message_bytes=str(8 << 20))
    plura.settings |= {"PLURA_KAFKA_BOOTSTRAP": broker.bootstrap, "PLURA_LEDGER_TOPIC": ledger}
    payload = b"x" * (5 << 20)
    writer.ingest.write_messages(writer.messages([(ledger, payload), (ledger, b"small")]))
    assert plura("tx", "replay-dlq").out == "2 events published again, 0 still bad\n"
    consumer = KafkaConsumer(
        ledger, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=5000
    )
    assert [message.value for message in consumer] == [payload, b"small"]
    consumer.close()
    assert bo.sql(UNMARKED) == [(0,)]


def test_nothing_is_published_to_a_topic_that_does_not_exist(
    plura: Plura, bo: TestDatabase, writer: Writer, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plura.tx.consumer.replay._CONFIRM_SECONDS", 3)
    plura.settings |= {"PLURA_KAFKA_BOOTSTRAP": broker.bootstrap, "PLURA_LEDGER_TOPIC": f"none-{uuid4().hex[:8]}"}
    writer.ingest.write_messages(writer.messages([(plura.settings["PLURA_LEDGER_TOPIC"], b"{")]))
    assert plura("tx", "replay-dlq").code == 1
    assert bo.sql(UNMARKED) == [(1,)]


def test_old_dead_letters_are_removed(bo: TestDatabase, writer: Writer) -> None:
    writer.write(*((LEDGER_TOPIC, b"%d" % number) for number in range(20)))
    bo.sql("update bo.consumer_dlq_events set ingested_at = now() - interval '15 days' where \"offset\" < 12")
    client = bo.client()
    with client.connect("keeper", "bo_consumer") as connection:
        assert remove_old_dead_letters(connection, 0) == 0
        assert remove_old_dead_letters(connection, 14) == 12
        assert remove_old_dead_letters(connection, 14) == 0
    assert bo.sql("select count(*) from bo.consumer_dlq_events") == [(8,)]
