"""What is gathered for a batch: how many messages, of how many bytes, and how far they reach."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from plura.kit.kafka_consumer.gathering import Gathered, Limits

PLACE, OTHER = ("topic", 0), ("topic", 1)
LIMITS = Limits(batch_events=1000, batch_bytes=10_000, batch_seconds=1, poll_seconds=1)


def record(offset: int, **values: Any) -> Any:
    usual = {"topic": "topic", "partition": 0, "offset": offset, "value": b"{}", "key": None, "headers": []}
    return SimpleNamespace(**usual | {"timestamp": 1_770_000_000_000 + offset} | values)


def test_it_knows_the_first_message_of_each_partition_and_where_it_ends() -> None:
    gathered = Gathered()
    gathered.take(PLACE, [record(7), record(8)])
    gathered.take(OTHER, [record(3, timestamp=-1)])
    gathered.take(PLACE, [record(9)])
    assert gathered.first_of == {PLACE: (7, 1_770_000_000.007), OTHER: (3, None)}
    assert gathered.ends == {PLACE: 10, OTHER: 4}


def test_messages_of_partitions_that_are_gone_are_kept_and_their_offsets_are_not() -> None:
    gathered = Gathered()
    gathered.take(PLACE, [record(7)])
    gathered.take(OTHER, [record(3)])
    gathered.disown([PLACE])
    assert (gathered.ends, list(gathered.first_of), len(gathered.messages)) == ({OTHER: 4}, [OTHER], 2)


@pytest.mark.parametrize(
    "wide",
    [
        {"value": b"x" * 5000},
        {"key": b"x" * 5000},
        {"headers": [("h", b"x" * 5000)]},
        {"headers": [("x" * 5000, None)]},
    ],
)
def test_all_parts_of_a_message_count(wide: dict[str, Any]) -> None:
    gathered = Gathered()
    gathered.take(PLACE, [record(0, **wide)])
    assert 5000 <= gathered.size <= 5003
    assert not gathered.is_full(LIMITS)
    gathered.take(PLACE, [record(1, **wide)])
    assert gathered.is_full(LIMITS)


def test_as_many_records_are_polled_as_fit() -> None:
    gathered = Gathered()
    assert gathered.room(LIMITS, largest=0) == 100
    assert gathered.room(LIMITS, largest=2500) == 4  # as large as those of the last batch
    gathered.take(PLACE, [record(0, value=b"x" * 3000)])
    assert gathered.room(LIMITS, largest=0) == 2
    gathered.take(PLACE, [record(1, value=b"x" * 6900)])
    assert gathered.room(LIMITS, largest=0) == 1  # never none: a record of any size has to pass
    small = Gathered()
    small.take(PLACE, [record(number) for number in range(995)])
    assert small.room(LIMITS, largest=0) == 5
    small.take(PLACE, [record(number) for number in range(5)])
    assert small.is_full(LIMITS)
