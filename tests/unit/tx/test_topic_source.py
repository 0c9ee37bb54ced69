"""What is seen of topics, without brokers."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from kafka.errors import KafkaError  # type: ignore[import-untyped]

from plura.kit.kafka_consumer.topics import MemoryTopics, Topic, TopicMonitor


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_the_last_look_is_kept_while_brokers_do_not_answer() -> None:
    source = MemoryTopics({"a": Topic(topic_id="1", partitions=1, ends={0: 7})})
    connections = []

    def connect() -> MemoryTopics:
        connections.append(source)
        return source

    monitor = TopicMonitor(connect=connect, names=["a", "b"])
    before = time.monotonic()
    assert not monitor.look()
    until(monitor.look)
    assert monitor.topics == {"a": Topic(topic_id="1", partitions=1, ends={0: 7}), "b": None}
    assert before <= monitor.seen_at <= time.monotonic()
    for number, error in enumerate((KafkaError("away"), OSError("no route"), KeyError("what the client forgot")), 1):
        source.error = error
        until(lambda: not monitor.look() and monitor._source is None)
        assert monitor.topics["b"] is None
        assert len(connections) == number
        source.error = None
        until(lambda: monitor.look() and len(connections) > 1)
        until(monitor.look)
        assert len(connections) == number + 1  # a new one
    monitor.close()


def test_the_source_in_memory_behaves_as_configured() -> None:
    source = MemoryTopics({"a": Topic(topic_id="", partitions=1, ends={})})
    assert source.look(["a", "b"]) == {"a": Topic(topic_id="", partitions=1, ends={}), "b": None}
    source.error = KafkaError()
    with pytest.raises(KafkaError):
        source.look(["a"])
    source.close()
