"""Partitions are shared only by those who know them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from kafka.errors import UnknownTopicOrPartitionError  # type: ignore[import-untyped]

from plura.tx.consumer.assigning import KnowingAssignor

MEMBERS = [
    SimpleNamespace(member_id=name, group_instance_id=None, metadata=SimpleNamespace(topics=["a", "b"]))
    for name in "xy"
]


def test_nothing_is_assigned_before_every_topic_is_known() -> None:
    for known in ({}, {"a": {0, 1}}, {"a": {0, 1}, "b": set()}):
        with pytest.raises(UnknownTopicOrPartitionError):
            KnowingAssignor.assign(SimpleNamespace(partitions_for_topic=known.get), MEMBERS)


def test_known_topics_are_shared() -> None:
    cluster = SimpleNamespace(partitions_for_topic={"a": {0, 1}, "b": {0, 1}}.get)
    shared = KnowingAssignor.assign(cluster, MEMBERS)
    assert {name: sorted(one.partitions()) for name, one in shared.items()} == {
        "x": [("a", 0), ("b", 0)],
        "y": [("a", 1), ("b", 1)],
    }
