"""Latest wins, pairing, and bad events, one case each."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.postgres import TestDatabase
from tests.transactions.oracle import LEDGER_TOPIC, ORDER_TOPIC, state_of
from tests.transactions.storing import Event, Writer, state_in


@pytest.fixture
def writer(bo: TestDatabase) -> Iterator[Writer]:
    writer = Writer(bo)
    yield writer
    writer.close()


def entry(tx_id: str = "t1", **values: Any) -> Event:
    event = {"wallet_id": "w1", "entry_type": "PAYMENT", "amount": "10.00", "event_time": "2026-02-13T00:00:00Z"}
    return LEDGER_TOPIC, json.dumps({"tx_id": tx_id, **event, **values}).encode()


def order(order_id: str = "o1", **values: Any) -> Event:
    event = {"amount": "10.00", "status": "CREATED", "created_at": "2026-02-13T00:00:00Z"}
    return ORDER_TOPIC, json.dumps({"order_id": order_id, **event, **values}).encode()


def check(writer: Writer, events: list[Event]) -> None:
    """The tables are what the oracle says."""
    with writer.database.client().connect("check") as connection:
        found = state_in(connection)
    assert found == state_of(events)


def test_a_batch_of_both_kinds_and_a_bad_event(writer: Writer) -> None:
    events = [
        entry("t1", related_id="o1"),
        entry("t2", related_id="o1", entry_type="RECEIVE", wallet_id="w2"),
        order("o1", status="SETTLED"),
        (LEDGER_TOPIC, b"{"),
    ]
    writer.write(*events)
    check(writer, events)
    assert writer.database.sql(
        "select payment_tx_id, receive_tx_id, payer_wallet_id, payee_wallet_id, amount::text, status"
        " from bo.payment_ledger_pairs"
    ) == [("t1", "t2", "w1", "w2", "10.00", "SETTLED")]
    ((_, written),) = writer.committed
    assert (dict(written.changed), written.pairs) == ({"ledger": 2, "payment_order": 1}, 1)
    assert list(written.incomplete_ages) == []


@pytest.mark.parametrize("together", [True, False])
def test_the_circle_of_the_three_levels_has_one_winner(writer: Writer, together: bool) -> None:
    fifth, tenth = "2026-02-05T00:00:00Z", "2026-02-10T00:00:00Z"
    events = [
        entry(updated_at=fifth, version=2, wallet_id="a"),
        entry(updated_at=tenth, version=1, wallet_id="b"),
        entry(version=3, wallet_id="c"),
    ]
    for turn in range(3):
        turned = events[turn:] + events[:turn]
        if together:
            writer.write(*turned)
        else:
            for event in turned:
                writer.write(event)
        assert writer.database.sql("select wallet_id from bo.ledger_entries") == [("b",)]
        writer.database.sql("delete from bo.ledger_entries")


def test_ingested_at_moves_only_when_the_row_changes(writer: Writer) -> None:
    def ingested() -> list[Any]:
        return writer.database.sql(
            "select ingested_at from bo.ledger_entries union all select ingested_at from bo.payment_ledger_pairs"
        )

    writer.write(entry(version=2, related_id="o1"))
    first = ingested()
    writer.write(entry(version=2, related_id="o1"))
    writer.write(entry(version=1, related_id="o2"))
    assert ingested() == first
    writer.write(entry(version=3, related_id="o1", amount="11"))
    assert all(later != earlier for later, earlier in zip(ingested(), first, strict=True))


def test_version_zero_is_a_version(writer: Writer) -> None:
    writer.write(entry(version=0, wallet_id="a"), entry(wallet_id="b"))
    assert writer.database.sql("select wallet_id, source_version from bo.ledger_entries") == [("a", 0)]


def test_an_event_with_less_information_is_counted(writer: Writer) -> None:
    at = "2026-02-05T00:00:00Z"
    writer.write(entry(updated_at=at, version=5))
    writer.write(entry(version=9), entry("t2"))
    writer.write(entry(updated_at=at))
    writer.write(entry(updated_at=at, version=4))
    writer.write(entry(updated_at="2026-02-04T00:00:00Z"))
    assert [dict(written.less_information) for _, written in writer.committed] == [
        {},
        {"ledger": 1},
        {"ledger": 1},
        {"ledger": 0},
        {"ledger": 0},
    ]
    batch = writer.write(order(updated_at=at), order(version=1), order())
    assert batch.counts[ORDER_TOPIC].less_information == 2


def test_an_order_changes_its_pair_and_a_moved_entry_both_pairs(writer: Writer) -> None:
    events = [entry("t1", related_id="o1", version=1), entry("t2", related_id="o1", entry_type="RECEIVE")]
    writer.write(*events)
    for more in (
        [order("o1", version=1)],
        [order("o1", version=2, status="SETTLED", amount="12")],
        [entry("t1", related_id="o2", version=2)],  # away from o1, and the first of o2
        [entry("t2", related_id="o2", version=1, entry_type="RECEIVE")],  # nobody is left in o1
        [entry("t1", related_id="o1", version=1)],  # too late: it brings nothing back
        [entry("t2", related_id="o2", related_type="REFUND", version=2, entry_type="RECEIVE")],
    ):
        writer.write(*more)
        events += more
        check(writer, events)
    assert writer.database.sql("select payment_order_id from bo.payment_ledger_pairs") == [("o2",)]


def test_of_several_candidates_the_newest_then_the_smallest_id_is_chosen(writer: Writer) -> None:
    late = "2026-02-14T00:00:00Z"
    events = [
        entry("t1", related_id="o1", wallet_id="old"),
        entry("a", related_id="o1", wallet_id="lower case sorts last", event_time=late),
        entry("Z", related_id="o1", wallet_id="taken", event_time=late, related_type=""),
    ]
    for event in events:
        writer.write(event)
    check(writer, events)
    assert writer.database.sql("select payment_tx_id, payer_wallet_id from bo.payment_ledger_pairs") == [("Z", "taken")]


def test_a_poison_event_rejects_none_of_its_neighbours(writer: Writer) -> None:
    writer.database.sql("alter table bo.ledger_entries add constraint poison check (wallet_id <> 'poison')")
    events = [entry(f"t{number}", wallet_id="poison" if number in {3, 77} else "w") for number in range(100)]
    writer.write(*events, order())
    assert writer.database.sql("select count(*) from bo.ledger_entries") == [(98,)]
    assert writer.database.sql("select count(*) from bo.payment_orders") == [(1,)]
    dead = writer.database.sql(
        'select topic, partition, "offset", error, payload from bo.consumer_dlq_events order by 3'
    )
    assert dead == [(LEDGER_TOPIC, 0, number, "internal_error", events[number][1]) for number in (3, 77)]
    assert writer.database.sql("select bool_and(error_detail like '23514 %poison%') from bo.consumer_dlq_events") == [
        (True,)
    ]


def test_a_bad_event_is_kept_once_with_all_it_came_with(writer: Writer) -> None:
    messages = writer.messages([(LEDGER_TOPIC, b'{"correlation_id": "from-payload", "x": "\xff\x00"}')])
    messages = [
        message._replace(
            key=b"\xff\x00key", headers=[("X-Correlation-ID", b"from-header"), ("n\xfc", None), ("b", b"\x00")]
        )
        for message in messages
    ]
    for _ in range(2):
        writer.ingest.write_messages(messages)
    assert writer.database.sql(
        "select key, payload, header_names, header_values, error, correlation_id, profile_id"
        " from bo.consumer_dlq_events"
    ) == [
        (
            b"\xff\x00key",
            messages[0].value,
            [b"X-Correlation-ID", "n\xfc".encode(), b"b"],
            [b"from-header", None, b"\x00"],
            "internal_error",
            "from-header",
            "canonical-v1",
        )
    ]


def test_two_consumers_at_one_order_end_in_the_right_pair(bo: TestDatabase) -> None:
    first, second = Writer(bo), Writer(bo)
    paused, go_on = threading.Event(), threading.Event()

    def pause(*_: object) -> None:
        paused.set()
        assert go_on.wait(10)

    receive = entry("t2", related_id="o1", entry_type="RECEIVE", wallet_id="w2")
    threads = [threading.Thread(target=first.write, args=[entry("t1", related_id="o1")], kwargs={"also": pause})]
    threads[0].start()
    assert paused.wait(10)  # its rows and its pair are written, but not committed
    threads += [
        threading.Thread(target=second.write, args=[receive]),
        threading.Thread(target=Writer(bo).write, args=[order("o1", status="SETTLED")]),
    ]
    for thread in threads[1:]:
        thread.start()
        thread.join(0.3)
        assert thread.is_alive(), "whoever touches the same order waits"
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert bo.sql("select payment_tx_id, receive_tx_id, status from bo.payment_ledger_pairs") == [
        ("t1", "t2", "SETTLED")
    ]


def test_a_batch_of_many_orders_holds_few_locks(writer: Writer) -> None:
    held: list[int] = []

    def count(connection: Any, _: object) -> None:
        (number,) = connection.execute("select count(*) from pg_locks where locktype = 'advisory'").fetchone()
        held.append(number)

    writer.write(*(entry(f"t{number}", related_id=f"o{number}") for number in range(3000)), also=count)
    assert held == [256]
