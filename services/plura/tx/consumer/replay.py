"""Bad events once more, after whatever made them bad was mended: into the tables, or through their topics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from kafka import KafkaProducer  # type: ignore[import-untyped]
from kafka.errors import KafkaError  # type: ignore[import-untyped]
from psycopg import Connection
from psycopg.rows import TupleRow

from plura.kit.errors import ServiceError
from plura.kit.kafka_client import ReadOnlyTopicsClient
from plura.kit.queries import read_queries
from plura.tx.consumer.ingest import Ingest
from plura.tx.consumer.messages import BACKFILL_TOPICS, Message
from plura.tx.consumer.profiles import Profile

_SQL = read_queries("plura.tx.db", "replay.sql")
_MOST_EVENTS = 500
_MOST_BYTES = 1 << 24
"""Bytes of the events that are at work at a time, unless one alone has more."""
_CONFIRM_SECONDS = 30
_LARGEST_REQUEST = 2**31 - 1
_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 12, 31, tzinfo=UTC)
_LAST_ID = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which of the events that were not replayed yet are meant."""

    topics: Sequence[str] = ()
    """As they stand in the table; none means all."""
    error: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_id: int | None = None
    max_id: int | None = None
    limit: int | None = None


class Destination(Protocol):
    """Where events are replayed to."""

    def take(self, messages: Sequence[Message]) -> list[bool]:
        """Take messages and return for each whether it is settled."""


@dataclass(frozen=True, kw_only=True)
class IntoTables:
    """Stores them by the path of the consumer; those that are still bad stay where they are."""

    ingest: Ingest

    def take(self, messages: Sequence[Message]) -> list[bool]:
        """Store messages; one that is bad again is not settled."""
        dead: set[int] = set()
        self.ingest.told = lambda batch, _: dead.update(id(letter.message) for letter in batch.dead)
        self.ingest.write_messages(messages)
        return [id(message) not in dead for message in messages]


@dataclass(frozen=True, kw_only=True)
class IntoKafka:
    """Publishes them again with their keys and headers; a line of a file goes to the topic of its kind.

    The client sends neither a header without a value nor a message without key and value: those are sent empty.
    """

    profile: Profile
    client_options: Mapping[str, Any]

    def take(self, messages: Sequence[Message]) -> list[bool]:
        """Publish messages and wait until the brokers have them.

        Raises:
            ServiceError: a broker does not confirm; what it confirmed before is published again next time.
        """
        lines = {topic: self.profile.topic_of(kind) for kind, topic in BACKFILL_TOPICS.items()}
        try:
            with closing(self._producer()) as producer:
                sent = [
                    producer.send(
                        lines.get(one.topic, one.topic),
                        value=one.value if one.key is not None else one.value or b"",
                        key=one.key,
                        headers=[(name, value or b"") for name, value in one.headers],
                    )
                    for one in messages
                ]
                for one in sent:
                    one.get(timeout=_CONFIRM_SECONDS)
        except KafkaError as error:
            raise ServiceError(f"the brokers do not take the events: {' '.join(str(error).split())[:300]}") from error
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
    """Replay events in the order in which they were put aside; return how many are settled and how many still bad.

    An event is marked once it is settled and is not taken again. One that is settled and not marked, because the
    process was killed in between, is taken again, which changes nothing in the tables.
    """
    settled = bad = 0
    for ids, messages in _chunks(connection, selection):
        outcome = destination.take(messages)
        well = [number for number, good in zip(ids, outcome, strict=True) if good]
        connection.execute(_SQL["mark_replayed"], {"ids": well})
        settled += len(well)
        bad += len(ids) - len(well)
        advance(settled + bad)
    return settled, bad


def _chunks(connection: Connection[TupleRow], selection: Selection) -> Iterator[tuple[list[int], list[Message]]]:
    after_time, after_id = _EARLIEST, 0
    remaining = selection.limit if selection.limit is not None else _LAST_ID
    while remaining > 0:
        wanted = {
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
        with connection.cursor(binary=True) as cursor:
            rows = cursor.execute(_SQL["dead_letters"], wanted).fetchall()
        if not rows:
            return
        after_id, after_time = rows[-1][0], rows[-1][1]
        remaining -= len(rows)
        yield [row[0] for row in rows], [_message(*row[2:]) for row in rows]


def _message(
    topic: str,
    payload: bytes | None,
    key: bytes | None,
    names: Sequence[bytes],
    values: Sequence[bytes | None],
    partition: int | None,
    offset: int | None,
    file_digest: bytes | None,
    line: int | None,
) -> Message:
    headers = [(name.decode(errors="surrogateescape"), value) for name, value in zip(names, values, strict=True)]
    return Message(topic, payload, key, headers, partition, offset, file_digest, line)
