"""Partitions are shared only by those who know them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from kafka.errors import UnknownTopicOrPartitionError  # type: ignore[import-untyped]

from plura.kit.kafka_consumer.assignor import KnownTopicsAssignor
from plura.kit.kafka_consumer.topics import Topic, Topics

MEMBERS = [
    SimpleNamespace(member_id=name, group_instance_id=None, metadata=SimpleNamespace(topics=["a", "b"]))
    for name in "xy"
]


def shares(
    known: dict[str, set[int]],
    seen: Topics | None = None,
    *,
    members: list[SimpleNamespace] = MEMBERS,
    assignor: KnownTopicsAssignor | None = None,
) -> dict[str, list[tuple[str, int]]]:
    """What each member gets if the client knows some partitions and we have seen some topics."""
    assignor = assignor or KnownTopicsAssignor(lambda: seen or {})
    shared = assignor.assign(SimpleNamespace(partitions_for_topic=known.get), members)
    return {name: sorted(assignment.partitions()) for name, assignment in shared.items()}


def topic(partitions: int) -> Topic:
    return Topic(topic_id="", partitions=partitions, ends={})


def test_nothing_is_assigned_before_anybody_has_heard_of_every_topic() -> None:
    for known in ({}, {"a": {0, 1}}, {"a": {0, 1}, "b": set()}):
        with pytest.raises(UnknownTopicOrPartitionError):
            shares(known)


def test_known_topics_are_shared() -> None:
    everything = {"x": [("a", 0), ("b", 0)], "y": [("a", 1), ("b", 1)]}
    assert shares({"a": {0, 1}, "b": {0, 1}}) == everything
    assert shares({"a": {0, 1}}, {"b": topic(2)}) == everything
    assert shares({}, {"a": topic(2), "b": topic(2)}) == everything
    # the client's word is newer
    assert shares({"a": {0, 1}, "b": {0, 1}}, {"a": topic(1), "b": None}) == everything


def test_a_missing_topic_does_not_keep_the_consumer_from_other_topics() -> None:
    assert shares({"a": {0, 1}}, {"b": None}) == {"x": [("a", 0)], "y": [("a", 1)]}
    assert shares({}, {"a": None, "b": None}) == {"x": [], "y": []}


def test_a_topic_that_the_client_no_longer_knows_was_deleted() -> None:
    # to raise would leave the member in the middle of a rebalance for ever: the client does not join again by itself
    assignor = KnownTopicsAssignor(lambda: {"a": topic(2), "b": topic(2)})
    shares({"a": {0, 1}, "b": {0, 1}}, assignor=assignor)
    assert shares({"a": {0, 1}}, assignor=assignor) == {"x": [("a", 0)], "y": [("a", 1)]}
    assert shares({"a": {0, 1}, "b": {0}}, assignor=assignor) == {"x": [("a", 0), ("b", 0)], "y": [("a", 1)]}


def test_named_and_unnamed_members_are_mixed_in_any_order() -> None:
    members = [
        SimpleNamespace(member_id=name, group_instance_id=given, metadata=SimpleNamespace(topics=["a"]))
        for name, given in (("w", None), ("x", "one"), ("y", None), ("z", "two"))
    ]
    shared = shares({"a": {0, 1, 2, 3}}, members=members)
    assert sorted(place for places in shared.values() for place in places) == [("a", number) for number in range(4)]
    assert all(len(places) == 1 for places in shared.values())
