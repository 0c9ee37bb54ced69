"""Starts, monitors, restarts and stops the streaming queries, one per topic."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from python_jobs.load.delta import DeltaBronze
from python_jobs.load.lines import LONGEST_LINE
from python_jobs.stream.feeds import Feed
from python_jobs.stream.micro_batch import MicroBatchWriter
from python_jobs.warehouse import LakeError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

_LOOK_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 30.0

_DATA_LOSS = ("KAFKA_DATA_LOSS", "data may have been lost", "Some data may have been lost")
_OUTAGE = (
    "TimeoutException",
    "DisconnectException",
    "NetworkException",
    "RetriableException",
    "BrokerNotAvailableException",
    "CoordinatorNotAvailableException",
    "LeaderNotAvailableException",
    "NotLeaderOrFollowerException",
    "UnknownTopicOrPartitionException",
    "Failed to create new KafkaAdminClient",
    "Failed to construct kafka consumer",
)


class _StoppingError(Exception):
    """A micro-batch began while the stream was being stopped; the next start repeats it."""


@dataclass(frozen=True, kw_only=True)
class StreamRequest:
    """Topics, source and limits of a stream.

    Args:
        feeds: the topics with their tables.
        source_options: options of Spark's Kafka source: brokers and sign-in.
        checkpoints: folder of the queries' progress, one folder per topic below it.
        once: read what is there and end, instead of going on.
        every_seconds: pause between the beginnings of two micro-batches.
        most_messages: messages of one micro-batch at most.
        longest: bytes beyond which a message is not read.
    """

    feeds: list[Feed]
    source_options: dict[str, str]
    checkpoints: Path | str
    once: bool = False
    every_seconds: float = 10.0
    most_messages: int = 200_000
    longest: int = LONGEST_LINE


@dataclass(kw_only=True)
class _Query:
    """A query of a feed, over all its starts."""

    feed: Feed
    stopping: threading.Event
    written: Callable[[str], None]
    running: StreamingQuery | None = None
    known: threading.Event = field(default_factory=threading.Event)
    at_work: threading.Lock = field(default_factory=threading.Lock)
    error: Exception | None = None
    failures: int = 0
    not_before: float = 0.0

    def query_id(self) -> str:
        """The id of the query, which the first micro-batch may need before the start has returned."""
        self.known.wait()
        assert self.running is not None
        return str(self.running.id)


def stream(
    bronze: DeltaBronze,
    request: StreamRequest,
    *,
    stopping: threading.Event,
    answers: Callable[[], bool],
    notify: Callable[[str], None],
    written: Callable[[str], None] = lambda _: None,
) -> None:
    """Stream topics into Bronze until everything is read (``once``) or ``stopping`` is set.

    Running micro-batches are finished before it returns. During an outage of the brokers it waits, then continues.

    Args:
        bronze: the warehouse; its tables are made when missing.
        request: what to stream.
        stopping: event that another thread or a signal sets to end the stream.
        answers: returns whether the brokers are available, with their topics.
        notify: gets one line for each outage and its end.
        written: gets one line for each micro-batch that was written.

    Raises:
        LakeError: messages are gone from Kafka that were never read, or a query failed for another reason than an
            outage.
    """
    bronze.create_tables()
    bronze.recover()
    _use_this_python(bronze.session)
    queries = [_Query(feed=feed, stopping=stopping, written=written) for feed in request.feeds]
    done: set[str] = set()
    try:
        while not stopping.is_set() and len(done) < len(queries):
            for query in queries:
                if query.feed.topic not in done and _look_after(bronze, request, query, answers, notify):
                    done.add(query.feed.topic)
            stopping.wait(_LOOK_SECONDS)
    finally:
        stopping.set()
        for query in queries:
            _stop(query)


def _look_after(
    bronze: DeltaBronze,
    request: StreamRequest,
    query: _Query,
    answers: Callable[[], bool],
    notify: Callable[[str], None],
) -> bool:
    """Start a query that is to run, start it again after an outage, and return whether it has read everything."""
    if query.running is not None:
        if query.running.isActive:
            return False
        error = query.running.exception()
        if error is None:
            return True
        _handle_failure(query, f"{error} {query.error or ''}", answers, notify)
    if time.monotonic() < query.not_before:
        return False
    if query.failures and not answers():
        query.not_before = time.monotonic() + _pause(query)
        return False
    if query.failures:
        notify(f"{query.feed.topic}: the brokers answer; going on")
    _start(bronze, request, query)
    return False


def _handle_failure(query: _Query, text: str, answers: Callable[[], bool], notify: Callable[[str], None]) -> None:
    """Wait for the end of an outage of the brokers; any other failure ends the stream.

    Raises:
        LakeError: the failure is no outage.
    """
    topic = query.feed.topic
    query.running = None
    query.known.clear()
    if any(word in text for word in _DATA_LOSS):
        raise LakeError(
            f"{topic}: messages are gone from Kafka that were never read (removed by retention, or the topic was made"
            " anew); docs/streaming.md says how to go on without them"
        )
    if not any(word in text for word in _OUTAGE) and answers():
        raise LakeError(f"{topic}: {_reason(query, text)}")
    if not query.failures:
        notify(f"{topic}: the brokers do not answer; waiting for them")
    query.error = None
    query.failures += 1
    query.not_before = time.monotonic() + _pause(query)


def _use_this_python(session: SparkSession) -> None:
    """Make the workers of a local session use this Python, which has the loader, not the first on the path."""
    context = session.sparkContext
    if str(context.master).startswith("local") and "PYSPARK_PYTHON" not in os.environ:
        context.pythonExec = sys.executable


def _pause(query: _Query) -> float:
    return min(0.5 * 2.0 ** min(query.failures, 10), _LONGEST_PAUSE_SECONDS)


def _start(bronze: DeltaBronze, request: StreamRequest, query: _Query) -> None:
    feed = query.feed
    writer = MicroBatchWriter(bronze=bronze, feed=feed, query_id=query.query_id, longest=request.longest)

    def write(messages: DataFrame, number: int) -> None:
        with query.at_work:
            if query.stopping.is_set():
                raise _StoppingError
            try:
                batch = writer.write(messages, number)
            except Exception as error:
                query.error = error
                raise
            query.failures = 0
            if batch is not None:
                unreadable = f", {batch.malformed_count:,} unreadable messages" if batch.malformed_count else ""
                query.written(f"{feed.topic}: {batch.row_count:,} rows{unreadable}, batch {batch.batch_id}")

    messages = (
        bronze.session.readStream.format("kafka")
        .options(**request.source_options)
        .option("subscribe", feed.topic)
        .option("startingOffsets", "earliest")
        .option("failOnDataLoss", "true")
        .option("kafka.isolation.level", "read_committed")
        .option("maxOffsetsPerTrigger", request.most_messages)
        .load()
    )
    writing = (
        messages.writeStream.queryName(f"bronze {feed.topic}")
        .option("checkpointLocation", f"{request.checkpoints}/{feed.topic}")
        .foreachBatch(write)
    )
    every = f"{round(request.every_seconds * 1000)} milliseconds"
    writing = writing.trigger(availableNow=True) if request.once else writing.trigger(processingTime=every)
    query.running = writing.start()
    query.known.set()


def _stop(query: _Query) -> None:
    """Stop a query after its current micro-batch."""
    with query.at_work:
        pass
    if query.running is not None:
        with suppress(Exception):  # it may have ended by itself, and its failure was reported
            query.running.stop()


def _reason(query: _Query, text: str) -> str:
    """What the micro-batch failed of, else what Spark says of the query, in one line."""
    lines = (str(query.error) if query.error is not None else text).strip().splitlines()
    return lines[0][:400] if lines else type(query.error).__name__
