"""Streaming topics into Bronze: the rows of files, each message once, whatever is repeated or goes away in between."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dev.servers.kafka import Broker, Message
from python_jobs.load.delta import DeltaBronze
from python_jobs.stream import StreamRequest, read_feeds, stream
from python_jobs.warehouse import LakeError
from tests.loads import GOOD, Bronze, content

LEDGER = GOOD["transaction_ledger"]
LONGEST = 2000
TRICKY: list[str | bytes] = [
    json.dumps(LEDGER),
    '{"tx_id":"e","wallet_id":"w","entry_type":"HOLD","amount":1.25e1,"event_time":"2026-02-01T09:00:00+09:00"}',
    '{"tx_id":"big","wallet_id":"w","type":"HOLD","amount":9999999999999999.99,"unheard":{"of":[1]}}',
    '{"tx_id":"\\uac00 가","wallet_id":"w","type":"HOLD","amount":"12.345","created_at":"yesterday"}',
    "no json",
    "[1]",
    b'{"tx_id":"\xff"}',
    json.dumps(LEDGER | {"source_extracted_at": "2026-02-02T00:00:00.123456Z", "source_system": "core"}),
]


def request(broker: Broker, work: Path, *words: str, tables: Any, **options: Any) -> StreamRequest:
    return StreamRequest(
        feeds=read_feeds(words, tables),
        source_options={"kafka.bootstrap.servers": broker.bootstrap},
        checkpoints=work / "checkpoints",
        longest=LONGEST,
        **({"once": True} | options),
    )


def read_all(delta: DeltaBronze, broker: Broker, asked: StreamRequest) -> list[str]:
    """Read what is there and return what was told of the micro-batches."""
    written: list[str] = []
    stream(
        delta, asked, stopping=threading.Event(), answers=broker.answers, notify=lambda _: None, written=written.append
    )
    return written


def rows(delta: DeltaBronze, statement: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in delta.session.sql(statement).collect()]


def of_topic(
    delta: DeltaBronze, topic: str, table: str, columns: str, order: str = "ingest_seq"
) -> list[tuple[Any, ...]]:
    ours = f"(select batch_id from bronze.load_registry where source_file = 'kafka:{topic}' and status = 'loaded')"
    return rows(delta, f"select {columns} from bronze.{table} where batch_id in {ours} order by {order}")


def test_messages_give_the_rows_of_a_file_with_the_same_lines(
    delta: DeltaBronze, broker: Broker, tmp_path: Path
) -> None:
    topic = broker.create_topic()
    broker.produce(topic, [(None, content([line]).rstrip(b"\n")) for line in TRICKY])
    asked = request(broker, tmp_path, f"{topic}=transaction_ledger", tables=delta.tables)
    written = read_all(delta, broker, asked)
    assert read_all(delta, broker, asked) == []
    ((batch_id, good, bad),) = rows(
        delta,
        f"select batch_id, row_count, malformed_count from bronze.load_registry where source_file = 'kafka:{topic}'",
    )
    assert good
    assert bad
    assert written == [f"{topic}: {good} rows, {bad} unreadable messages, batch {batch_id}"]
    raw = Bronze(work=tmp_path)
    raw.write("transaction_ledger.jsonl", *TRICKY)
    raw.load()
    instants = "date_format({0}, 'yyyy-MM-dd HH:mm:ss.SSSSSS')", "strftime({0}, '%Y-%m-%d %H:%M:%S.%f')"
    names = [column.name for column in delta.tables["transaction_ledger_raw"].columns]
    names = [name for name in names if name not in {"batch_id", "ingested_at", "ingest_seq"}]
    times = {"created_at", "updated_at", "source_extracted_at"}
    on_delta, on_duckdb = (
        ", ".join(form.format(name) if name in times else name for name in names) for form in instants
    )
    assert of_topic(delta, topic, "transaction_ledger_raw", on_delta) == raw.sql(
        f"select {on_duckdb} from bronze.transaction_ledger_raw order by line_number"
    )
    told = of_topic(delta, topic, "malformed_lines", "line_number, raw_line, error")
    assert told == [
        (number, text, f"{why} ({topic}, partition 0, offset {number - 1})")
        for number, text, why in raw.sql(
            "select line_number, raw_line, error from bronze.malformed_lines order by line_number"
        )
    ]


def test_what_cannot_be_read_is_kept_with_its_place_and_line_numbers_lead_back_to_offsets(
    delta: DeltaBronze, broker: Broker, tmp_path: Path
) -> None:
    topic = broker.create_topic(partitions=2)
    good = (b"k", json.dumps(GOOD["products"]).encode())
    broker.produce(topic, [(b"k", None), (b"k", b""), (b"k", b"x" * (LONGEST + 1)), good], partition=1)
    broker.produce(topic, [good, (b"k", b"\xff")], partition=0)
    read_all(delta, broker, request(broker, tmp_path, f"{topic}=products", tables=delta.tables))
    place = f"({topic}, partition"
    assert of_topic(delta, topic, "malformed_lines", "line_number, left(raw_line, 4), error, table_name") == [
        (2, "\\xff", f"not UTF-8 at byte 1 {place} 0, offset 1)", "products_raw"),
        (3, "", f"no value (null) {place} 1, offset 0)", "products_raw"),
        (4, "", f"empty {place} 1, offset 1)", "products_raw"),
        (5, "xxxx", f"{LONGEST + 1} bytes are more than {LONGEST}; cut here {place} 1, offset 2)", "products_raw"),
    ]
    assert of_topic(delta, topic, "products_raw", "line_number, product_id") == [(1, 7), (6, 7)]
    ((offsets, good_rows, malformed),) = rows(
        delta,
        "select source_offsets, row_count, malformed_count from bronze.load_registry"
        f" where source_file = 'kafka:{topic}'",
    )
    assert (good_rows, malformed) == (2, 4)
    assert [tuple(span.values()) for span in json.loads(offsets)] == [(topic, 0, 0, 1, 1), (topic, 1, 0, 3, 3)]


def test_changes_of_wallets_become_snapshots(delta: DeltaBronze, broker: Broker, tmp_path: Path) -> None:
    topic = broker.create_topic()
    key = b'{"user_id": "u"}'
    wallet = {"user_id": "u", "balance": "10.50", "frozen_amount": "0", "updated_at": "2026-02-01T00:00:00Z"}
    events: list[Any] = [
        {
            "op": "r",
            "before": None,
            "after": wallet,
            "ts_ms": 1_770_000_000_500,
            "source": {"ts_ms": 1_770_000_000_123},
        },
        {"op": "u", "before": wallet, "after": wallet | {"balance": 9}, "ts_ms": 1_770_000_001_000},
        {"payload": {"op": "d", "before": None, "after": None, "ts_ms": 1_770_000_002_000, "source": {"name": "bank"}}},
    ]
    values: list[Message] = [(key, json.dumps(event).encode()) for event in events]
    broker.produce(topic, [*values, (key, None), (key, b'{"op":"t","ts_ms":1}')])
    read_all(delta, broker, request(broker, tmp_path, f"{topic}=user_wallets:cdc", tables=delta.tables))
    columns = "user_id, cast(balance as string), cast(frozen_amount as string), is_deleted, source_system"
    extracted = "date_format(source_extracted_at, 'yyyy-MM-dd HH:mm:ss.SSS')"
    assert of_topic(delta, topic, "user_wallets_raw", f"{columns}, {extracted}") == [
        ("u", "10.50", "0.00", None, None, "2026-02-02 02:40:00.123"),
        ("u", "9.00", "0.00", None, None, "2026-02-02 02:40:01.000"),
        ("u", "0.00", "0.00", True, "bank", "2026-02-02 02:40:02.000"),
    ]
    assert of_topic(delta, topic, "user_wallets_raw", "raw_json") == [(json.dumps(event),) for event in events]
    assert of_topic(delta, topic, "malformed_lines", "raw_line, error") == [
        ('{"op":"t","ts_ms":1}', f"no change event: op is t, none of c, u, r, d ({topic}, partition 0, offset 4)")
    ]


class _KilledError(Exception):
    """Stands for the end of the process."""


def dies(action: Callable[..., Any], *, before: bool) -> Callable[..., Any]:
    def dying(*arguments: Any, **options: Any) -> Any:
        if not before:
            action(*arguments, **options)
        raise _KilledError("the process died here")

    return dying


def test_a_stream_that_dies_at_any_step_continues_without_losing_or_doubling_a_message(
    delta: DeltaBronze, broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same micro-batch: after registering, between the two appends, before and after marking it as loaded."""
    topic = broker.create_topic(partitions=2)
    asked = request(broker, tmp_path, f"{topic}=orders", tables=delta.tables)
    orders = [json.dumps(GOOD["orders"] | {"order_id": number}).encode() for number in range(6)]
    broker.produce(topic, [*((None, order) for order in orders), (None, b"broken")])
    for step, before in (("begin", False), ("append", False), ("finish", True), ("finish", False)):
        with monkeypatch.context() as patch:
            patch.setattr(DeltaBronze, step, dies(getattr(DeltaBronze, step), before=before))
            with pytest.raises(LakeError, match="the process died here"):
                read_all(delta, broker, asked)
        registered = rows(delta, f"select status from bronze.load_registry where source_file = 'kafka:{topic}'")
        assert registered == [("loaded" if (step, before) == ("finish", False) else "loading",)]
    broker.produce(topic, [(None, json.dumps(GOOD["orders"] | {"order_id": 6}).encode())])
    read_all(delta, broker, asked)
    assert of_topic(delta, topic, "orders_raw", "order_id", "order_id") == [(number,) for number in range(7)]
    assert of_topic(delta, topic, "malformed_lines", "raw_line") == [("broken",)]
    assert rows(delta, f"select count(*) from bronze.load_registry where source_file = 'kafka:{topic}'") == [(2,)]


def test_an_outage_of_the_brokers_is_waited_for_and_a_stop_ends_the_stream(
    delta: DeltaBronze, broker: Broker, tmp_path: Path
) -> None:
    topic = broker.create_topic()
    stopping = threading.Event()
    asked = request(broker, tmp_path, f"{topic}=orders", tables=delta.tables, once=False, every_seconds=0.2)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            stream(delta, asked, stopping=stopping, answers=broker.answers, notify=lambda _: None)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        for number in range(2):
            if number:
                broker.kill()
                time.sleep(4)
                broker.start()
            broker.produce(topic, [(None, json.dumps(GOOD["orders"] | {"order_id": number}).encode())])
            deadline = time.monotonic() + 60
            while len(of_topic(delta, topic, "orders_raw", "order_id")) <= number:
                assert not failed
                assert time.monotonic() < deadline
                time.sleep(0.3)
    finally:
        stopping.set()
        thread.join(60)
    assert (thread.is_alive(), failed) == (False, [])
    assert of_topic(delta, topic, "orders_raw", "order_id") == [(0,), (1,)]


def test_messages_that_retention_took_before_they_were_read_stop_the_stream(
    delta: DeltaBronze, broker: Broker, tmp_path: Path
) -> None:
    topic = broker.create_topic()
    asked = request(broker, tmp_path, f"{topic}=orders", tables=delta.tables)
    order = json.dumps(GOOD["orders"]).encode()
    broker.produce(topic, [(None, order)])
    read_all(delta, broker, asked)
    broker.produce(topic, [(None, order)] * 3)
    broker.delete_records(topic, {0: 3})
    with pytest.raises(LakeError, match="messages are gone from Kafka that were never read"):
        read_all(delta, broker, asked)
    assert len(of_topic(delta, topic, "orders_raw", "order_id")) == 1
