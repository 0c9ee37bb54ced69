"""Replays bad events after their cause was fixed: into the tables, or through their topics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from kafka import KafkaProducer  # type: ignore[import-untyped]
from kafka.errors import KafkaError  # type: ignore[import-untyped]
from psycopg import Connection
from psycopg.rows import TupleRow

from plura.kit.errors import ServiceError
from plura.kit.kafka_client import ReadOnlyTopicsClient
from plura.kit.kafka_consumer.messages import Message
from plura.kit.queries import read_queries
from plura.kit.rows import row_of
from plura.tx.consumer.ingest import Ingest
from plura.tx.consumer.messages import BACKFILL_TOPICS
from plura.tx.consumer.profiles import Profile

_SQL = read_queries("plura.tx.db", "replay.sql")
_MOST_EVENTS = 500
_MOST_BYTES = 1 << 24
"""Bytes of the events that are replayed at a time, unless a single event has more."""
_CONFIRM_SECONDS = 30
_LARGEST_REQUEST = 2**31 - 1
_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 12, 31, tzinfo=UTC)
_LAST_ID = 2**63 - 1


class _DeadLetterRow(NamedTuple):
    """A row of ``bo.consumer_dlq_events``."""

    dlq_id: int
    ingested_at: datetime
    topic: str
    payload: bytes | None
    key: bytes | None
    header_names: Sequence[bytes]
    header_values: Sequence[bytes | None]
    partition: int | None
    offset: int | None
    file_digest: bytes | None
    line: int | None

    @property
    def message(self) -> Message:
        """The message that was put aside."""
        names = (name.decode(errors="surrogateescape") for name in self.header_names)
        return Message(
            topic=self.topic,
            value=self.payload,
            key=self.key,
            headers=list(zip(names, self.header_values, strict=True)),
            partition=self.partition,
            offset=self.offset,
            file_digest=self.file_digest,
            line=self.line,
        )


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which of the events that were not replayed yet are selected."""

    topics: Sequence[str] = ()
    """As in the table; empty means all."""
    error: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_id: int | None = None
    max_id: int | None = None
    limit: int | None = None


class Destination(Protocol):
    """Where events are replayed to."""

    def take(self, messages: Sequence[Message]) -> list[bool]:
        """Replay messages; return for each whether it is settled."""


@dataclass(frozen=True, kw_only=True)
class IntoTables:
    """Stores events as the consumer does; events that are still bad stay in the dead-letter table."""

    ingest: Ingest

    def take(self, messages: Sequence[Message]) -> list[bool]:
        """Store messages; a message that is still bad is not settled."""
        dead: set[int] = set()
        self.ingest.on_committed = lambda batch, _: dead.update(id(letter.message) for letter in batch.dead)
        self.ingest.write_messages(messages)
        return [id(message) not in dead for message in messages]


@dataclass(frozen=True, kw_only=True)
class IntoKafka:
    """Publishes events again with their keys and headers; a line of a file goes to the topic of its kind.

    The client can send neither a header without a value nor a message without key and value: they are sent empty.
    """

    profile: Profile
    client_options: Mapping[str, Any]

    def take(self, messages: Sequence[Message]) -> list[bool]:
        """Publish messages and wait until the brokers have them.

        Raises:
            ServiceError: a broker does not confirm; messages that it did confirm are published again next time.
        """
        lines = {topic: self.profile.topic_of(kind) for kind, topic in BACKFILL_TOPICS.items()}
        try:
            with closing(self._producer()) as producer:
                sent = [
                    producer.send(
                        lines.get(message.topic, message.topic),
                        value=message.value if message.key is not None else message.value or b"",
                        key=message.key,
                        headers=[(name, value or b"") for name, value in message.headers],
                    )
                    for message in messages
                ]
                for confirmation in sent:
                    confirmation.get(timeout=_CONFIRM_SECONDS)
        except KafkaError as error:
            raise ServiceError(f"the brokers do not accept the events: {' '.join(str(error).split())[:300]}") from error
        return [True] * len(messages)

    def _producer(self) -> Any:
        return KafkaProducer(
            **self.client_options,
            acks="all",
            enable_idempotence=True,
            max_request_size=_LARGEST_REQUEST,  # the topic's own limit decides
            max_block_ms=_CONFIRM_SECONDS * 1000,
            kafka_client=ReadOnlyTopicsClient,
        )


def replay(
    connection: Connection[TupleRow],
    selection: Selection,
    destination: Destination,
    advance: Callable[[int], None] = lambda _: None,
) -> tuple[int, int]:
    """Replay events in the order in which they were put aside; return the numbers of settled and of still bad events.

    An event is marked once it is settled, and is not replayed again. An event that is settled but not marked, because
    the process was killed in between, is replayed again, which changes nothing in the tables.
    """
    settled = bad = 0
    for ids, messages in _chunks(connection, selection):
        outcome = destination.take(messages)
        settled_ids = [number for number, is_settled in zip(ids, outcome, strict=True) if is_settled]
        connection.execute(_SQL["mark_replayed"], {"ids": settled_ids})
        settled += len(settled_ids)
        bad += len(ids) - len(settled_ids)
        advance(settled + bad)
    return settled, bad


def _chunks(connection: Connection[TupleRow], selection: Selection) -> Iterator[tuple[list[int], list[Message]]]:
    after_time, after_id = _EARLIEST, 0
    remaining = selection.limit if selection.limit is not None else _LAST_ID
    while remaining > 0:
        parameters = {
            "after_time": after_time,
            "after_id": after_id,
            "topics": list(selection.topics) or None,
            "error": selection.error,
            "since": selection.since or _EARLIEST,
            "until": selection.until or _LATEST,
            "min_id": selection.min_id or 0,
            "max_id": selection.max_id or _LAST_ID,
            "limit": min(_MOST_EVENTS, remaining),
            "most_bytes": _MOST_BYTES,
        }
        with connection.cursor(binary=True, row_factory=row_of(_DeadLetterRow)) as cursor:
            rows = cursor.execute(_SQL["dead_letters"], parameters).fetchall()
        if not rows:
            return
        after_id, after_time = rows[-1].dlq_id, rows[-1].ingested_at
        remaining -= len(rows)
        yield [row.dlq_id for row in rows], [row.message for row in rows]
