"""Where reading goes on when the broker has nothing at our position."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from kafka import TopicPartition  # type: ignore[import-untyped]
from kafka.errors import (  # type: ignore[import-untyped]
    KafkaError,
    KafkaTimeoutError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    UnknownTopicOrPartitionError,
)
from kafka.structs import OffsetAndMetadata  # type: ignore[import-untyped]

from plura.kit.kafka_consumer.offset_reset import OffsetResetPolicy

ONE, OTHER = TopicPartition("ledger", 0), TopicPartition("ledger", 1)
Moves = list[tuple[TopicPartition, int | str]]


@dataclass
class Client:
    """What a consumer of partition ONE, whose log has the offsets 20 to 29, does when it is moved."""

    answers: bool = True
    knows_leaders: bool = True
    moved: Moves = field(default_factory=list)
    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    """What the group has committed."""
    commits: list[dict[TopicPartition, Any]] = field(default_factory=list)

    def assignment(self) -> set[TopicPartition]:
        return {ONE}

    def partitions_for_topic(self, topic: str) -> set[int]:
        assert topic == "ledger"
        return {0, 1}

    def beginning_offsets(self, partitions: list[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        return self._answer(partitions, 20, timeout_ms)

    def end_offsets(self, partitions: list[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        return self._answer(partitions, 30, timeout_ms)

    def committed(self, partition: TopicPartition, timeout_ms: int) -> int | None:
        self._answer([partition], 0, timeout_ms)
        return self.offsets.get(partition)

    def commit(self, offsets: dict[TopicPartition, Any], timeout_ms: int) -> None:
        assert timeout_ms
        assert self.moved == []  # what is not committed must not be read on from
        self.commits.append(offsets)

    def _answer(self, partitions: list[TopicPartition], offset: int, timeout_ms: int) -> dict[TopicPartition, int]:
        assert timeout_ms
        if not self.answers:
            raise KafkaTimeoutError
        if not self.knows_leaders:
            raise KeyError(partitions[0])
        return dict.fromkeys(partitions, offset)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.moved.append((partition, offset))

    def seek_to_beginning(self, partition: TopicPartition) -> None:
        self.moved.append((partition, "beginning"))


def policy(start: Any = "earliest", followed: Iterable[str] = ()) -> tuple[OffsetResetPolicy, list[tuple[str, int]]]:
    lost: list[tuple[str, int]] = []
    made = OffsetResetPolicy(
        start=start,
        lost=lambda topic, number: lost.append((topic, number)),
        topic_id=lambda topic: f"id of {topic}",
        followed=set(followed),
    )
    return made, lost


@pytest.mark.parametrize("start", ["earliest", "latest"])
@pytest.mark.parametrize(
    ("error", "moved", "lost"),
    [
        (OffsetOutOfRangeError({ONE: 12}), [(ONE, 20)], [("ledger", 8)]),
        # the log was cut, or recreated: what it holds is read, and nothing of it was lost
        (OffsetOutOfRangeError({ONE: 70}), [(ONE, 20)], []),
        (LogTruncationError({ONE: OffsetAndMetadata(25, "", 3)}), [(ONE, 25)], []),
        (LogTruncationError({ONE: None}), [(ONE, "beginning")], []),
        # others read it now
        (OffsetOutOfRangeError({OTHER: 12}), [], []),
        (LogTruncationError({OTHER: None}), [], []),
        (NoOffsetForPartitionError({OTHER}), [], []),
    ],
)
def test_reading_continues_and_skipped_records_are_reported(
    start: str, error: KafkaError, moved: Moves, lost: list[tuple[str, int]]
) -> None:
    client = Client()
    made, reported = policy(start)
    made.apply(client, error)
    assert (client.moved, reported) == (moved, lost)


@pytest.mark.parametrize(
    ("start", "followed", "committed", "moved", "commits"),
    [
        ("earliest", set(), {}, "beginning", []),
        # a group that is new: at the end, for all members, and for good
        ("latest", set(), {}, 30, [{ONE: 30, OTHER: 30}]),
        # another member was first
        ("latest", set(), {ONE: 27, OTHER: 30}, 27, []),
        # the group reads the topic already, so this partition was added
        ("latest", set(), {OTHER: 12}, "beginning", []),
        ("latest", {"ledger"}, {}, "beginning", []),
        ("latest", {"orders"}, {}, 30, [{ONE: 30, OTHER: 30}]),
        # offset 0 is an offset
        ("latest", set(), {ONE: 0}, 0, []),
    ],
)
def test_a_partition_without_an_offset_is_begun(
    start: str, followed: set[str], committed: dict[Any, int], moved: int | str, commits: list[dict[Any, int]]
) -> None:
    client = Client(offsets=committed)
    made, lost = policy(start, followed)
    made.apply(client, NoOffsetForPartitionError({ONE}))
    assert client.moved == [(ONE, moved)]
    assert [{partition: offset.offset for partition, offset in commit.items()} for commit in client.commits] == commits
    assert {offset.metadata for commit in client.commits for offset in commit.values()} <= {"id of ledger"}
    assert lost == []
    # from now on the group reads it
    client.offsets, client.moved = {}, []
    made.apply(client, NoOffsetForPartitionError({ONE}))
    assert client.moved == [(ONE, "beginning")]


@pytest.mark.parametrize("start", ["earliest", "latest"])
@pytest.mark.parametrize("error", [OffsetOutOfRangeError({ONE: 12}), NoOffsetForPartitionError({ONE})])
def test_nothing_is_moved_or_counted_while_the_broker_does_not_answer(start: str, error: KafkaError) -> None:
    if start == "earliest" and isinstance(error, NoOffsetForPartitionError):
        return  # nobody is asked
    for client, raised in (
        (Client(answers=False), KafkaTimeoutError),
        (Client(knows_leaders=False), UnknownTopicOrPartitionError),
    ):
        made, lost = policy(start)
        with pytest.raises(raised):
            made.apply(client, error)
        assert (client.moved, lost, made.followed) == ([], [], set())
