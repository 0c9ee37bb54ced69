"""Stores the events of files as the consumer stores those of topics; a run can be resumed."""

from __future__ import annotations

import codecs
import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from psycopg import Connection
from psycopg.rows import TupleRow

from plura.kit.kafka_consumer.messages import Message
from plura.kit.kafka_consumer.parts import StoppedError
from plura.kit.queries import read_queries
from plura.kit.rows import row_of
from plura.tx.consumer.batches import Batch, prepare
from plura.tx.consumer.ingest import Ingest
from plura.tx.consumer.messages import BACKFILL_TOPICS
from plura.tx.consumer.store import Written

_SQL = read_queries("plura.tx.db", "backfill.sql")
_CHUNK = 1 << 20
_LONGEST_LINE = 1 << 24
"""Bytes of a line that are read; a longer line is not an event and is put aside without its rest."""
_MOST_BYTES = 1 << 24
"""Largest batch in bytes, regardless of the number of its events."""

Advance = Callable[[int, int, str], None]
"""Called with the bytes read, the size of the file, and its name."""


class _StoredProgress(NamedTuple):
    """A row of ``bo.backfills``."""

    bytes_done: int
    lines_done: int
    events: int
    failed: int


@dataclass(kw_only=True)
class Progress:
    """How far a file is stored."""

    file_digest: bytes
    kind: str
    selection: str
    bytes_done: int = 0
    lines_done: int = 0
    events: int = 0
    failed: int = 0
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(kw_only=True)
class Summary:
    """Result of a run over a file; ``failed`` includes the bad events of the earlier run that it resumed."""

    file: Path
    kind: str
    events: int = 0
    changed: int = 0
    failed: int = 0
    out_of_range: int = 0
    skipped_lines: int = 0
    """Lines that the earlier run had stored."""
    seconds: float = 0.0


@dataclass(kw_only=True)
class Backfill:
    """Stores files. The next batch is read while the current batch is written."""

    ingest: Ingest
    connect: Callable[[], Connection[TupleRow]]
    selection: str
    """Which events are stored, as text; a run resumes only a run with the same selection."""
    most_events: int
    _committed: list[tuple[Batch, Written]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Collect every batch that is committed."""
        self.ingest.on_committed = lambda batch, written: self._committed.append((batch, written))

    def run(self, file: Path, kind: str, *, resume: bool, advance: Advance) -> Summary:
        """Store the events of a file.

        Raises:
            OSError: the file cannot be read.
            StoppedError: ``ingest.stopping`` was set; events up to a line are stored; ``resume`` continues there.
        """
        started = time.monotonic()
        size = file.stat().st_size
        progress = Progress(file_digest=_digest(file, size, advance), kind=kind, selection=self.selection)
        if resume:
            self._recall(progress)
        summary = Summary(file=file, kind=kind, skipped_lines=progress.lines_done, failed=progress.failed)
        with file.open("rb") as lines, ThreadPoolExecutor(1) as writer:
            lines.seek(progress.bytes_done)
            writing: Future[None] | None = None
            for messages, bytes_done, lines_done in self._batches(lines, progress):
                batch = prepare(self.ingest.reader, messages)
                if writing is not None:
                    self._finish(writing, progress, summary)
                    advance(progress.bytes_done, size, file.name)
                if self.ingest.stopping.is_set():
                    raise StoppedError(f"stopped after line {progress.lines_done} of {file}")
                progress.bytes_done, progress.lines_done = bytes_done, lines_done
                writing = writer.submit(self._write, batch, progress)
            if writing is not None:
                self._finish(writing, progress, summary)
        with self.connect() as connection:
            _keep(connection, progress, finished=True)
        summary.seconds = time.monotonic() - started
        return summary

    def _batches(self, lines: BinaryIO, progress: Progress) -> Iterator[tuple[list[Message], int, int]]:
        """Yield messages with the numbers of bytes and lines up to their end."""
        topic = BACKFILL_TOPICS[progress.kind]
        position, number = progress.bytes_done, progress.lines_done
        messages: list[Message] = []
        held = 0
        while line := lines.readline(_LONGEST_LINE):
            rest = _skip_rest(lines) if len(line) == _LONGEST_LINE and not line.endswith(b"\n") else 0
            event = (line.removeprefix(codecs.BOM_UTF8) if position == 0 else line).strip()
            position += len(line) + rest
            number += 1
            if event:
                messages.append(Message(topic, event, file_digest=progress.file_digest, line=number))
                held += len(event)
            if len(messages) == self.most_events or held >= _MOST_BYTES:
                yield messages, position, number
                messages, held = [], 0
        if messages:
            yield messages, position, number

    def _write(self, batch: Batch, progress: Progress) -> None:
        self.ingest.write(batch, lambda connection, last: self._keep_progress(connection, last, progress))

    def _keep_progress(self, connection: Connection[TupleRow], last: Batch, progress: Progress) -> None:
        """Store the progress in the transaction of the last part of a batch."""
        parts = [*(batch for batch, _ in self._committed), last]
        events, failed = sum(len(part.messages) for part in parts), sum(part.rejected for part in parts)
        after = replace(progress, events=progress.events + events, failed=progress.failed + failed)
        _keep(connection, after, finished=False)

    def _finish(self, writing: Future[None], progress: Progress, summary: Summary) -> None:
        """Wait for the batch that is being written and count its outcome."""
        writing.result()
        for batch, written in self._committed:
            events, rejected = len(batch.messages), batch.rejected
            progress.events += events
            progress.failed += rejected
            summary.events += events
            summary.failed += rejected
            summary.out_of_range += sum(counts.out_of_range for counts in batch.counts.values())
            summary.changed += sum(written.changed.values())
        self._committed.clear()

    def _recall(self, progress: Progress) -> None:
        with self.connect() as connection:
            row = (
                connection.cursor(row_factory=row_of(_StoredProgress))
                .execute(_SQL["progress"], vars(progress))
                .fetchone()
            )
        if row is not None:
            progress.bytes_done, progress.lines_done = row.bytes_done, row.lines_done
            progress.events, progress.failed = row.events, row.failed


def _keep(connection: Connection[TupleRow], progress: Progress, *, finished: bool) -> None:
    connection.execute(_SQL["keep_progress"], {**vars(progress), "finished": finished})


def _digest(file: Path, size: int, advance: Advance) -> bytes:
    """Return the SHA-256 of a file: it identifies the file, whatever its name."""
    digest, done = hashlib.sha256(), 0
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            advance(done, size, f"reading {file.name}")
    return digest.digest()


def _skip_rest(lines: BinaryIO) -> int:
    """Skip the rest of a line and return its number of bytes."""
    skipped = 0
    while piece := lines.readline(_CHUNK):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped
