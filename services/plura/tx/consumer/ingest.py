"""Stores messages: puts bad ones aside one by one, and waits while the database is unavailable."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from plura.kit.kafka_consumer.messages import Message
from plura.kit.kafka_consumer.parts import StoppedError
from plura.kit.observability.logs import fields
from plura.tx.consumer.batches import Batch, add, prepare, put_aside
from plura.tx.consumer.events import EventReader
from plura.tx.consumer.store import RejectedBatchError, Store, UnavailableError, WriteAlso, Written

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 5.0

log = logging.getLogger(__name__)


OnCommitted = Callable[[Batch, Written], None]
"""Called with every batch that was committed."""


@dataclass(kw_only=True)
class Ingest:
    """Writes batches of messages.

    ``stopping`` ends the waiting for the database; ``available`` is set while the database accepts batches.
    """

    reader: EventReader
    store: Store
    stopping: threading.Event
    available: threading.Event = field(default_factory=threading.Event)
    on_committed: OnCommitted = lambda *_: None

    def new_batch(self) -> Batch:
        """Return a batch without messages."""
        return Batch()

    def add(self, batch: Batch, message: Message) -> None:
        """Read a message and add its row, or the reason why it is bad, to a batch."""
        add(batch, self.reader, message)

    def write(self, batch: Batch, also: WriteAlso | None = None) -> None:
        """Store a batch; return when every message is stored or put aside.

        ``also`` writes in the same transaction as the last part of the batch.

        Raises:
            StoppedError: ``stopping`` was set while the database was unavailable.
        """
        try:
            self._when_available(batch, also)
        except RejectedBatchError as error:
            # one message fails the whole transaction, so the batch is halved until that message is alone
            if len(batch.messages) == 1:
                self._when_available(put_aside(self.reader, batch.messages[0], str(error)), also)
                return
            middle = len(batch.messages) // 2
            self.write(prepare(self.reader, batch.messages[:middle]))
            self.write(prepare(self.reader, batch.messages[middle:]), also)

    def write_messages(self, messages: Sequence[Message], also: WriteAlso | None = None) -> Batch:
        """Parse and store messages; return the batch."""
        batch = prepare(self.reader, messages)
        self.write(batch, also)
        return batch

    def _when_available(self, batch: Batch, also: WriteAlso | None) -> None:
        wait = _FIRST_WAIT
        while True:
            try:
                written = self.store.write(batch, also)
            except UnavailableError as error:
                if wait == _FIRST_WAIT:
                    log.warning("database unavailable", extra=fields(said=str(error)))
                self.available.clear()
                if self.stopping.wait(wait):
                    raise StoppedError(str(error)) from error
                wait = min(wait * 2, _LONGEST_WAIT)
            else:
                if wait != _FIRST_WAIT:
                    log.warning("database available again")
                self.available.set()
                self.on_committed(batch, written)
                return
