"""Events of files through the same path as those of topics: any size, a bar, resumable, with a summary."""

from __future__ import annotations

import codecs
import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from psycopg import Connection
from psycopg.rows import TupleRow

from plura.kit.queries import read_queries
from plura.tx.consumer.batches import Batch, prepare
from plura.tx.consumer.ingest import Ingest, StoppedError
from plura.tx.consumer.messages import BACKFILL_TOPICS, Message
from plura.tx.consumer.store import Written

_SQL = read_queries("plura.tx.db", "backfill.sql")
_CHUNK = 1 << 20
_LONGEST_LINE = 1 << 24
"""Bytes of a line that are kept; what is longer is no event and is put aside without its rest."""
_MOST_BYTES = 1 << 24
"""Bytes of a batch, whatever the number of its events."""

Advance = Callable[[int, int, str], None]
"""Called with the bytes done, the bytes of the file, and its name."""


@dataclass(kw_only=True)
class Progress:
    """How far a file was read."""

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
    """What a run over one file did; ``failed`` counts those of an earlier run that it resumed as well."""

    file: Path
    kind: str
    events: int = 0
    changed: int = 0
    failed: int = 0
    unwanted: int = 0
    skipped_lines: int = 0
    """Lines that an earlier run had stored."""
    seconds: float = 0.0


@dataclass(kw_only=True)
class Backfill:
    """Stores files. The next batch is read while one is written."""

    ingest: Ingest
    connect: Callable[[], Connection[TupleRow]]
    selection: str
    """What of the files is wanted, in words; a run resumes only one of the same selection."""
    most_events: int
    _told: list[tuple[Batch, Written]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take note of every batch that is committed."""
        self.ingest.told = lambda batch, written: self._told.append((batch, written))

    def run(self, file: Path, kind: str, *, resume: bool, advance: Advance) -> Summary:
        """Store the events of a file.

        Raises:
            OSError: the file cannot be read.
            StoppedError: it was to stop; everything up to a line is stored, and ``resume`` continues from there.
        """
        started = time.monotonic()
        size = file.stat().st_size
        progress = Progress(file_digest=_digest(file, size, advance), kind=kind, selection=self.selection)
        if resume:
            self._recall(progress)
        summary = Summary(file=file, kind=kind, skipped_lines=progress.lines_done, failed=progress.failed)
        with file.open("rb") as lines, ThreadPoolExecutor(1) as writer:
            lines.seek(progress.bytes_done)
            at_work: Future[None] | None = None
            for messages, bytes_done, lines_done in self._batches(lines, progress):
                batch = prepare(self.ingest.reader, messages)
                if at_work is not None:
                    self._finish(at_work, progress, summary)
                    advance(progress.bytes_done, size, file.name)
                if self.ingest.stopping.is_set():
                    raise StoppedError(f"stopped after line {progress.lines_done} of {file}")
                progress.bytes_done, progress.lines_done = bytes_done, lines_done
                at_work = writer.submit(self._write, batch, progress)
            if at_work is not None:
                self._finish(at_work, progress, summary)
        with self.connect() as connection:
            _keep(connection, progress, finished=True)
        summary.seconds = time.monotonic() - started
        return summary

    def _batches(self, lines: BinaryIO, progress: Progress) -> Iterator[tuple[list[Message], int, int]]:
        """Yield messages with the bytes and lines that are read when they are stored."""
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
        self.ingest.write(batch, lambda connection, last: self._also(connection, last, progress))

    def _also(self, connection: Connection[TupleRow], last: Batch, progress: Progress) -> None:
        """Keep in the transaction of the last part of a batch how far the file is stored then."""
        parts = [*(batch for batch, _ in self._told), last]
        events, failed = sum(len(one.messages) for one in parts), sum(one.refused for one in parts)
        after = replace(progress, events=progress.events + events, failed=progress.failed + failed)
        _keep(connection, after, finished=False)

    def _finish(self, at_work: Future[None], progress: Progress, summary: Summary) -> None:
        """Wait for the batch at work and count what became of it."""
        at_work.result()
        for batch, written in self._told:
            events, refused = len(batch.messages), batch.refused
            progress.events += events
            progress.failed += refused
            summary.events += events
            summary.failed += refused
            summary.unwanted += sum(counts.unwanted for counts in batch.counts.values())
            summary.changed += sum(written.changed.values())
        self._told.clear()

    def _recall(self, progress: Progress) -> None:
        with self.connect() as connection:
            row = connection.execute(_SQL["progress"], vars(progress)).fetchone()
        if row is not None:
            progress.bytes_done, progress.lines_done, progress.events, progress.failed = row


def _keep(connection: Connection[TupleRow], progress: Progress, *, finished: bool) -> None:
    connection.execute(_SQL["keep_progress"], {**vars(progress), "finished": finished})


def _digest(file: Path, size: int, advance: Advance) -> bytes:
    """Return the SHA-256 of a file: a line is known by it, whatever the file is called."""
    digest, done = hashlib.sha256(), 0
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            advance(done, size, f"reading {file.name}")
    return digest.digest()


def _skip_rest(lines: BinaryIO) -> int:
    """Read to the end of a line and return how many bytes that were."""
    skipped = 0
    while piece := lines.readline(_CHUNK):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped
