"""Where reading goes on when the broker has nothing at our position."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from kafka import TopicPartition  # type: ignore[import-untyped]
from kafka.errors import (  # type: ignore[import-untyped]
    KafkaError,
    KafkaTimeoutError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from kafka.structs import OffsetAndMetadata  # type: ignore[import-untyped]

from plura.tx.consumer.placing import Placing

ONE, OTHER = TopicPartition("ledger", 0), TopicPartition("ledger", 1)


@dataclass
class Client:
    """What a consumer of partition ONE, whose log has the offsets 20 to 29, does when it is moved."""

    answers: bool = True
    moved: list[tuple[TopicPartition, int | str]] = field(default_factory=list)

    def assignment(self) -> set[TopicPartition]:
        return {ONE}

    def beginning_offsets(self, partitions: list[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        return self._told(partitions, 20, timeout_ms)

    def end_offsets(self, partitions: list[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        return self._told(partitions, 30, timeout_ms)

    def _told(self, partitions: list[TopicPartition], offset: int, timeout_ms: int) -> dict[TopicPartition, int]:
        assert timeout_ms
        if not self.answers:
            raise KafkaTimeoutError
        return dict.fromkeys(partitions, offset)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.moved.append((partition, offset))

    def seek_to_beginning(self, partition: TopicPartition) -> None:
        self.moved.append((partition, "beginning"))

    def seek_to_end(self, partition: TopicPartition) -> None:
        self.moved.append((partition, "end"))


@pytest.mark.parametrize(
    ("start", "error", "moved", "lost"),
    [
        ("earliest", NoOffsetForPartitionError({ONE}), [(ONE, "beginning")], []),
        ("latest", NoOffsetForPartitionError({ONE}), [(ONE, "end")], []),
        ("earliest", OffsetOutOfRangeError({ONE: 12}), [(ONE, 20)], [("ledger", 8)]),
        ("latest", OffsetOutOfRangeError({ONE: 12}), [(ONE, 30)], [("ledger", 18)]),
        # the topic was made anew: what it holds is read, and nothing of it was lost
        ("earliest", OffsetOutOfRangeError({ONE: 70}), [(ONE, 20)], []),
        ("earliest", LogTruncationError({ONE: OffsetAndMetadata(25, "", 3)}), [(ONE, 25)], []),
        ("earliest", LogTruncationError({ONE: None}), [(ONE, "beginning")], []),
        # others read it now
        ("earliest", OffsetOutOfRangeError({OTHER: 12}), [], []),
        ("earliest", LogTruncationError({OTHER: None}), [], []),
    ],
)
def test_reading_goes_on_and_what_is_skipped_is_told(
    start: str, error: KafkaError, moved: list[tuple[TopicPartition, int | str]], lost: list[tuple[str, int]]
) -> None:
    client, told = Client(), list[tuple[str, int]]()
    Placing(start=start, lost=lambda topic, number: told.append((topic, number))).place(client, error)  # type: ignore[arg-type]
    assert (client.moved, told) == (moved, lost)


def test_nothing_is_moved_or_counted_while_the_broker_does_not_answer() -> None:
    client, told = Client(answers=False), list[int]()
    placing = Placing(start="earliest", lost=lambda _, number: told.append(number))
    with pytest.raises(KafkaTimeoutError):
        placing.place(client, OffsetOutOfRangeError({ONE: 12}))
    assert (client.moved, told) == ([], [])
