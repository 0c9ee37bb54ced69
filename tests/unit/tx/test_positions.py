"""What the consumer knows of its partitions, and what is counted as lost."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition  # type: ignore[import-untyped]
from kafka.errors import KafkaTimeoutError  # type: ignore[import-untyped]

from plura.kit.kafka_consumer.clock import DatabaseClock
from plura.kit.kafka_consumer.gathering import Gathered
from plura.kit.kafka_consumer.positions import PartitionTracker
from plura.kit.kafka_consumer.state import ConsumerState, StoredState
from plura.kit.kafka_consumer.topics import Topic

PLACE = ("ledger", 0)


@dataclass
class Client:
    """A consumer at some positions."""

    positions: dict[TopicPartition, int | None]
    answers: bool = True
    seconds: float = 0
    """What each answer takes."""

    def assignment(self) -> set[TopicPartition]:
        return set(self.positions)

    def position(self, partition: TopicPartition, timeout_ms: int) -> int | None:
        time.sleep(min(self.seconds, timeout_ms / 1000))
        if not self.answers:
            raise KafkaTimeoutError
        return self.positions[partition]


@dataclass
class Stage:
    """A tracker, and what it reported."""

    lost: list[tuple[str, int]] = field(default_factory=list)
    now: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.state = ConsumerState(joined=True)
        self.tracker = PartitionTracker(
            state=self.state, clock=DatabaseClock(), lost=lambda topic, number: self.lost.append((topic, number))
        )

    def see(self, end: int | None, *, ago: float = 0, partitions: int = 1, topic_id: str = "a") -> None:
        topic = None if end is None else Topic(topic_id=topic_id, partitions=partitions, ends={0: end})
        self.tracker.see({"ledger": topic}, self.now - ago)

    def ask(self, position: int | None, *parts: Gathered) -> None:
        self.tracker.update(Client({TopicPartition(*PLACE): position}), parts)

    @property
    def partition(self) -> Any:
        return self.state.partitions[PLACE]


def gathered(offset: int, timestamp: int = -1) -> Gathered:
    found = Gathered()
    record = SimpleNamespace(
        topic="ledger", partition=0, offset=offset, value=b"{}", key=None, headers=[], timestamp=timestamp
    )
    found.take(PLACE, [record])
    return found


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_rows_after_an_open_transaction_are_a_lag(stage: Stage) -> None:
    stage.see(5, ago=30)
    stage.ask(5)
    assert stage.partition.lag() == 0
    assert stage.state.freshness("ledger") == pytest.approx(30, abs=1)
    stage.see(25, ago=20)
    stage.ask(5)
    stage.see(25)
    stage.ask(5)
    assert stage.partition.lag() == 20
    assert stage.state.freshness("ledger") == pytest.approx(30, abs=1)  # it may have come right after the first look
    stage.ask(25)
    assert (stage.partition.lag(), stage.state.freshness("ledger")) == (0, 0)


def test_what_is_in_hand_is_not_stored(stage: Stage) -> None:
    stage.see(5, ago=10)
    stage.ask(5)
    stage.see(9)
    stage.ask(9, gathered(6))  # offset 5 was a mark of a transaction
    assert (stage.partition.position, stage.partition.lag()) == (6, 3)
    stage.tracker.stored({PLACE: 9})
    assert stage.partition.caught_up()


def test_a_position_beyond_the_last_look_is_caught_up(stage: Stage) -> None:
    stage.see(5)
    stage.ask(8)
    assert stage.partition.caught_up()
    assert stage.partition.lag() == 0


def test_a_partition_that_just_became_ours_is_as_old_as_that(stage: Stage) -> None:
    stage.ask(None)
    assert math.isnan(stage.partition.lag())
    assert stage.state.freshness("ledger") < 1


def test_the_stored_state_is_used_once(stage: Stage) -> None:
    stage.tracker.known[PLACE] = StoredState(position=5, end=9, waiting_since=stage.now - 100, asked_at=stage.now - 60)
    stage.see(12)
    stage.ask(5, gathered(5))
    assert stage.state.freshness("ledger") == pytest.approx(100, abs=1)
    stage.ask(9, gathered(9))  # came after the look of a minute ago
    assert stage.state.freshness("ledger") == pytest.approx(60, abs=1)
    stage.tracker.gone([PLACE])
    stage.see(13)
    stage.ask(12, gathered(12))
    assert stage.state.freshness("ledger") < 1


def test_what_is_in_hand_of_a_topic_that_is_deleted_is_not_lost(stage: Stage) -> None:
    stage.see(9)
    stage.ask(7, gathered(3))
    assert stage.partition.lag() == 6
    stage.see(None)
    assert stage.lost == [("ledger", 2)]


def test_a_topic_that_is_missing_grows_old_and_what_was_not_read_is_lost_once(stage: Stage) -> None:
    stage.see(5)
    stage.ask(3)
    stage.see(None)
    stage.see(None)
    assert stage.lost == [("ledger", 2)]
    assert stage.state.missing_since.keys() == {"ledger"}
    assert stage.state.readiness()["topic ledger"] is False
    stage.state.missing_since["ledger"] -= 50
    assert stage.state.freshness("ledger") == pytest.approx(50, abs=1)
    stage.tracker.recreated("ledger")
    stage.see(4, topic_id="b")
    assert stage.lost == [("ledger", 2)]
    assert stage.state.readiness().keys() == {"broker"}
    stage.ask(0)
    assert stage.partition.lag() == 4


@pytest.mark.parametrize("noticed", ["missing", "recreated"])
def test_a_partition_that_went_before_its_topic_was_missed_counts(stage: Stage, noticed: str) -> None:
    stage.see(5, ago=1)
    stage.ask(3)
    stage.tracker.gone([PLACE])
    stage.see(5, ago=0.5)  # began before the partition went: says nothing
    if noticed == "missing":
        stage.see(None)
    else:
        stage.tracker.recreated("ledger")
    assert stage.lost == [("ledger", 2)]


def test_a_partition_that_another_member_reads_now_is_not_lost(stage: Stage) -> None:
    stage.see(5, ago=1)
    stage.ask(3)
    stage.tracker.gone([PLACE])
    stage.tracker.see({"ledger": Topic(topic_id="a", partitions=1, ends={0: 9})}, time.monotonic() + 1)
    stage.see(None)
    assert stage.lost == []


def test_a_partition_without_a_leader_grows_old_alone(stage: Stage) -> None:
    stage.see(5, ago=40)
    stage.ask(5)
    stage.tracker.see({"ledger": Topic(topic_id="a", partitions=1, ends={})}, stage.now)
    stage.ask(5)
    assert stage.state.freshness("ledger") == pytest.approx(40, abs=1)
    assert stage.state.asked_at == stage.now  # the brokers answer


def test_nothing_changes_while_a_broker_does_not_answer(stage: Stage) -> None:
    stage.see(5)
    stage.ask(5)
    stage.see(9)
    with pytest.raises(KafkaTimeoutError):
        stage.tracker.update(Client({TopicPartition(*PLACE): 1}, answers=False), [])
    assert stage.partition.end == 5


def test_partitions_without_a_position_hold_up_the_loop_once(stage: Stage) -> None:
    client = Client({TopicPartition("ledger", number): None for number in range(50)}, seconds=1.9)
    began = time.monotonic()
    stage.tracker.update(client, [])
    assert time.monotonic() - began < 3
