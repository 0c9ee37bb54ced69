"""Offsets of a topic that was deleted are not taken for those of the one that was recreated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from kafka import TopicPartition  # type: ignore[import-untyped]
from kafka.errors import KafkaTimeoutError  # type: ignore[import-untyped]
from kafka.structs import OffsetAndMetadata  # type: ignore[import-untyped]

from plura.kit.kafka_consumer.incarnations import Incarnations
from plura.kit.kafka_consumer.topics import Topic, Topics

ONE, TWO = ("ledger", 0), ("ledger", 1)


def topics(topic_id: str | None) -> Topics:
    return {"ledger": None if topic_id is None else Topic(topic_id=topic_id, partitions=2, ends={})}


@dataclass
class Client:
    """Knows what the group has committed."""

    offsets: dict[tuple[str, int], str] = field(default_factory=dict)
    answers: bool = True
    asked: list[tuple[str, int]] = field(default_factory=list)

    def committed(self, partition: TopicPartition, *, metadata: bool, timeout_ms: int) -> Any:
        assert metadata
        assert timeout_ms
        if not self.answers:
            raise KafkaTimeoutError
        self.asked.append(tuple(partition))
        found = self.offsets.get(tuple(partition))
        return None if found is None else OffsetAndMetadata(7, found, -1)


def test_a_topic_with_another_id_was_made_anew() -> None:
    held = Incarnations()
    assert held.topic_id("ledger") == ""
    assert held.see(topics("a")) == set()
    assert held.see(topics(None)) == set()
    assert held.see(topics("a")) == set()
    assert held.see(topics(None)) == set()
    assert held.see(topics("b")) == {"ledger"}
    assert held.see(topics("b")) == set()
    assert held.topic_id("ledger") == "b"


def test_brokers_without_ids_hold_nothing_up() -> None:
    held = Incarnations()
    held.assigned([], [ONE])
    assert held.see(topics("")) == set()
    assert held.check(Client({ONE: "a"})) == set()
    assert held.is_checked(ONE)
    assert held.see(topics("a")) == set()  # they were upgraded


@pytest.mark.parametrize(("committed", "stale"), [("a", set()), ("", set()), ("0", {ONE}), (None, set())])
def test_committed_offsets_are_checked_once(committed: str | None, stale: set[Any]) -> None:
    held, client = Incarnations(), Client({} if committed is None else {ONE: committed})
    held.assigned([], [ONE])
    assert not held.is_checked(ONE)
    assert held.check(client) == set()  # nothing is known of the topic
    assert not held.is_checked(ONE)
    held.see(topics("a"))
    assert held.check(client) == stale
    assert held.is_checked(ONE)
    assert held.check(client) == set()
    assert client.asked == [ONE]


def test_a_check_that_fails_is_made_again() -> None:
    held, client = Incarnations(), Client({ONE: "0"}, answers=False)
    held.see(topics("a"))
    held.assigned([], [ONE, TWO])
    with pytest.raises(KafkaTimeoutError):
        held.check(client)
    assert not held.is_checked(ONE)
    held.assigned([TWO], [])
    client.answers = True
    assert held.check(client) == {ONE}
    assert client.asked == [ONE]
