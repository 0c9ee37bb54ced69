"""A batch: messages read under the profile, the latest row for each key, and the bad messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from plura.kit.kafka_consumer.messages import Message
from plura.tx.consumer.errors import InvalidEventError
from plura.tx.consumer.events import EventReader, Row
from plura.tx.consumer.messages import DeadLetter
from plura.tx.consumer.values import read_object


@dataclass
class TopicCounts:
    """What a batch has of one topic."""

    messages: int = 0
    rejected: int = 0
    out_of_range: int = 0
    violations: int = 0
    version_missing: int = 0
    less_information: int = 0
    aliases: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Field, and the alias under which its value came."""
    events_at: list[datetime] = field(default_factory=list)


@dataclass
class Batch:
    """What is written in one transaction."""

    messages: list[Message] = field(default_factory=list)
    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    """For each kind: key to the latest row of the batch."""
    topic_of: dict[str, str] = field(default_factory=dict)
    """For each kind that has rows: the topic they came from."""
    dead: list[DeadLetter] = field(default_factory=list)
    counts: dict[str, TopicCounts] = field(default_factory=dict)
    skipped_types: Counter[str] = field(default_factory=Counter)
    """related_type of the entries that pairing leaves out."""

    @property
    def rejected(self) -> int:
        """Number of messages that are put aside."""
        return len(self.dead)


def prepare(reader: EventReader, messages: Iterable[Message]) -> Batch:
    """Read messages; nothing is written yet."""
    batch = Batch()
    for message in messages:
        add(batch, reader, message)
    return batch


def put_aside(reader: EventReader, message: Message, detail: str) -> Batch:
    """Return a batch that only puts aside a message that the database rejected."""
    letter = DeadLetter(message=message, error="internal_error", detail=detail, profile_id=reader.profile.profile_id)
    counts = {message.topic: TopicCounts(messages=1, rejected=1)}
    return Batch(messages=[message], dead=[letter], counts=counts)


def add(batch: Batch, reader: EventReader, message: Message) -> None:
    """Read a message and add its row, or the reason why it is bad, to a batch."""
    batch.messages.append(message)
    counts = batch.counts.get(message.topic)
    if counts is None:
        counts = batch.counts[message.topic] = TopicCounts()
    counts.messages += 1
    try:
        kind, row, aliases = reader.read(message.topic, read_object(message.value))
    except InvalidEventError as error:
        counts.rejected += 1
        counts.violations += error.code == "contract_core_violation"
        batch.dead.append(
            DeadLetter(message=message, error=error.code, detail=error.detail, profile_id=reader.profile.profile_id)
        )
        return
    if not reader.is_in_range(row):
        counts.out_of_range += 1
        return
    if aliases:
        counts.aliases.update(aliases)
    counts.version_missing += row.has_no_version
    counts.events_at.append(row.event_at)
    if row.skipped_type is not None:
        batch.skipped_types[row.skipped_type] += 1
    rows = batch.rows.setdefault(kind, {})
    batch.topic_of[kind] = message.topic
    current = rows.setdefault(row.key, row)
    if current is not row:
        loser, winner = sorted((current, row), key=lambda candidate: candidate.order)
        rows[row.key] = winner
        counts.less_information += loser.says_less_than(winner)
