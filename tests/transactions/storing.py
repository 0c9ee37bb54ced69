"""Stores messages as the consumer does, and reads the tables back in the oracle's words."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import TupleRow, dict_row

from plura.kit.kafka_consumer.messages import Message
from plura.tx.consumer.batches import Batch
from plura.tx.consumer.events import EventReader
from plura.tx.consumer.ingest import Ingest
from plura.tx.consumer.profiles import read_profile
from plura.tx.consumer.store import PostgresStore, WriteAlso, Written
from plura.tx.db import CONSUMER_ROLE
from tests.postgres import TestDatabase
from tests.transactions.oracle import LEDGER, ORDER, State

Event = tuple[str, bytes]
"""Topic and payload."""

PAIR = (
    *("payment_tx_id", "receive_tx_id", "payer_wallet_id", "payee_wallet_id"),
    *("amount", "status", "event_time", "updated_at"),
)


@dataclass
class Writer:
    """Stores events with the consumer's rights; collects the committed batches."""

    database: TestDatabase
    committed: list[tuple[Batch, Written]] = field(default_factory=list)
    _offset: int = 0

    def __post_init__(self) -> None:
        client = self.database.client()
        self.store = PostgresStore(lambda: client.connect("test", CONSUMER_ROLE))
        self.stopping = threading.Event()
        self.ingest = Ingest(
            reader=EventReader(read_profile("canonical-v1")),
            store=self.store,
            on_committed=lambda batch, written: self.committed.append((batch, written)),
            stopping=self.stopping,
        )

    def write(self, *events: Event, also: WriteAlso | None = None) -> Batch:
        """Store events as one batch."""
        return self.ingest.write_messages(self.messages(events), also)

    def messages(self, events: Iterable[Event]) -> list[Message]:
        """Events as messages of a partition, each at an offset of its own."""
        found = []
        for topic, payload in events:
            found.append(Message(topic, payload, partition=0, offset=self._offset))
            self._offset += 1
        return found

    def close(self) -> None:
        self.store.close()


def clear(connection: Connection[TupleRow]) -> None:
    """Remove all rows."""
    connection.execute(
        "delete from bo.ledger_entries; delete from bo.payment_orders; delete from bo.payment_ledger_pairs;"
        "delete from bo.consumer_dlq_events"
    )


def state_in(connection: Connection[TupleRow]) -> State:
    """Return what the tables hold."""
    state = State(
        ledger=_rows(connection, "ledger_entries", "tx_id", LEDGER),
        orders=_rows(connection, "payment_orders", "order_id", ORDER),
        pairs=_rows(connection, "payment_ledger_pairs", "payment_order_id", PAIR),
        dead=defaultdict(set),
    )
    for error, payload in connection.execute("select error, payload from bo.consumer_dlq_events"):
        state.dead[error].add(payload or b"")
    return state


def _rows(connection: Connection[TupleRow], table: str, key: str, columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    names = sql.SQL(", ").join(
        sql.SQL("source_version as version") if column == "version" else sql.Identifier(column) for column in columns
    )
    statement = sql.SQL("select {} as key_of_row, {} from {}").format(
        sql.Identifier(key), names, sql.Identifier("bo", table)
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        return {row.pop("key_of_row"): row for row in cursor.execute(statement)}
