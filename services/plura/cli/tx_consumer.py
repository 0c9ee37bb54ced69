"""``plura tx backfill | replay-dlq | consume``: the ways in which events reach the tables."""

from __future__ import annotations

import ctypes
import logging
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from plura.cli.console import progress_bar, say
from plura.cli.service_options import database, database_problems
from plura.kit.errors import ServiceError
from plura.kit.observability.logs import fields
from plura.kit.service_settings import read_settings
from plura.tx.consumer.errors import Code

if TYPE_CHECKING:
    from plura.kit.database import Database
    from plura.kit.kafka_consumer.state import Place, StoredState
    from plura.tx.consumer.backfill import Summary
    from plura.tx.consumer.process import ConsumerProcess

INTERRUPTED = 130
_RETRY_SECONDS = 1.0
_ARENA_MAX = -8
"""M_ARENA_MAX of glibc's mallopt."""
_SWITCH_SECONDS = 0.0005
"""How long a thread may hold the interpreter. The writing thread needs it briefly between two waits for the database;
with Python's default it would wait 5 ms each time for the thread that reads events."""

log = logging.getLogger(__name__)

Moment = Annotated[str | None, typer.Option(help="ISO 8601; without a zone it is UTC.")]


def backfill(
    ledger_file: Annotated[
        Path | None, typer.Option(help="Ledger events, one JSON object a line.", exists=True, dir_okay=False)
    ] = None,
    payment_order_file: Annotated[
        Path | None, typer.Option(help="Payment order events, one JSON object a line.", exists=True, dir_okay=False)
    ] = None,
    since: Moment = None,
    until: Moment = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue where an earlier run over the same file stopped.")
    ] = False,
    batch: Annotated[int, typer.Option(help="Most events of a transaction.", min=1)] = 2000,
) -> None:
    """Store the events of files; running it again changes nothing.

    --since and --until, both included, apply to the event time of ledger entries and to updated_at, else created_at, of
    orders. Bad lines are put aside in bo.consumer_dlq_events, the rest is stored, and the exit code is 1. Ctrl-C and
    SIGTERM stop it between two transactions.

    Settings: PLURA_DATABASE_URL, PLURA_EVENT_PROFILE_ID.
    """
    from plura.kit.kafka_consumer.parts import StoppedError
    from plura.tx.consumer.backfill import Backfill
    from plura.tx.consumer.events import EventReader
    from plura.tx.consumer.ingest import Ingest
    from plura.tx.consumer.settings import ConsumerSettings
    from plura.tx.consumer.store import PostgresStore
    from plura.tx.db import CONSUMER_ROLE

    files = [(ledger_file, "ledger"), (payment_order_file, "payment_order")]
    if not any(file for file, _ in files):
        raise typer.BadParameter("name a file with --ledger-file or --payment-order-file")
    settings = read_settings(ConsumerSettings)
    first, last = _moment("--since", since), _moment("--until", until)
    reader = EventReader(settings.profile(), since=first, until=last)
    sys.setswitchinterval(_SWITCH_SECONDS)
    target = database()
    require_schema(target)
    store = PostgresStore(lambda: target.connect("plura-tx-backfill", CONSUMER_ROLE))
    with stopping_by_signals() as stopping:
        ingest = Ingest(reader=reader, store=store, stopping=stopping)
        run = Backfill(
            ingest=ingest,
            connect=lambda: target.connect("plura-tx-backfill", CONSUMER_ROLE),
            selection=f"{settings.event_profile_id} {first or ''}..{last or ''}",
            most_events=batch,
        )
        summaries = []
        try:
            for file, kind in files:
                if file is not None:
                    with database_problems(target), progress_bar(kind.replace("_", " ")) as advance:
                        summaries.append(run.run(file, kind, resume=resume, advance=advance))
                    _print(summaries[-1])
        except StoppedError as stopped:
            say(f"{stopped}: --resume continues from there")
            raise typer.Exit(INTERRUPTED) from None
        finally:
            store.close()
    if failed := sum(summary.failed for summary in summaries):
        raise ServiceError(f"{failed:,} events are bad: see bo.consumer_dlq_events, and plura tx replay-dlq --help")


def consume(
    max_messages: Annotated[int | None, typer.Option(help="Stop after N messages.", min=1)] = None,
    max_idle_seconds: Annotated[
        float | None, typer.Option(help="Stop after N seconds without messages.", min=0)
    ] = None,
) -> None:
    """Store the events of the Kafka topics until it is stopped.

    SIGTERM and Ctrl-C stop it after the current batch. It can be killed and started again at any time. While the
    database or the brokers do not answer, it waits and reports that on /readyz; no event is put aside because of that.
    Bad events are put aside in bo.consumer_dlq_events.

    Settings: PLURA_KAFKA_BOOTSTRAP, PLURA_DATABASE_URL, PLURA_EVENT_PROFILE_ID, PLURA_KAFKA_GROUP_ID and others, see
    docs/tx/consumer.md. /healthz, /readyz and /metrics are served on PLURA_METRICS_PORT; PLURA_OTLP_ENDPOINT names a
    collector that metrics are pushed to.
    """
    from plura.cli.options import required_kafka
    from plura.kit.observability.logs import configure_logs
    from plura.kit.observability.otlp import OtlpSettings
    from plura.tx.consumer.process import ConsumerProcess
    from plura.tx.consumer.settings import ConsumerSettings

    settings, kafka, otlp = read_settings(ConsumerSettings), required_kafka(), read_settings(OtlpSettings)
    process = ConsumerProcess(settings, kafka, database(), otlp)
    configure_logs(settings.log_level)
    sys.setswitchinterval(_SWITCH_SECONDS)
    _share_heaps()
    with (
        stopping_by_signals() as stopping,
        process.serving(stopping, most_messages=max_messages, most_idle_seconds=max_idle_seconds) as loop,
    ):
        say(f"consuming {', '.join(loop.topics)}; status on port {process.port}")
        process.load(_await_database(process, stopping))
        loop.run()
    say(f"{process.metrics.stored:,} events stored, {process.metrics.bad:,} put aside")


def replay_dlq(
    topic: Annotated[
        list[str] | None, typer.Option(help="Only events of this topic, as in the table; can be repeated.")
    ] = None,
    error: Annotated[Code | None, typer.Option(help="Only events with this error code.")] = None,
    since: Moment = None,
    until: Moment = None,
    min_id: Annotated[int | None, typer.Option(help="Smallest dlq_id.", min=1)] = None,
    max_id: Annotated[int | None, typer.Option(help="Largest dlq_id.", min=1)] = None,
    limit: Annotated[int | None, typer.Option(help="Replay at most N events.", min=1)] = None,
    into: Annotated[
        Literal["tables", "kafka"] | None,
        typer.Option(help="Store the events, or publish them again. Default: kafka if PLURA_KAFKA_BOOTSTRAP is set."),
    ] = None,
) -> None:
    """Replay bad events of bo.consumer_dlq_events after their cause was fixed.

    Each event keeps its key and headers and is marked as replayed, so that the next run leaves it out. When published
    again, lines of files go to the topic of their kind. When stored directly, events that are still bad stay unmarked,
    and the exit code is 1. --since and --until apply to the time at which events were put aside.
    """
    from plura.cli.options import required_kafka
    from plura.kit.kafka import KafkaSettings
    from plura.tx.consumer.events import EventReader
    from plura.tx.consumer.ingest import Ingest
    from plura.tx.consumer.replay import Destination, IntoKafka, IntoTables, Selection, replay
    from plura.tx.consumer.settings import ConsumerSettings
    from plura.tx.consumer.store import PostgresStore
    from plura.tx.db import CONSUMER_ROLE

    profile = read_settings(ConsumerSettings).profile()
    selection = Selection(
        topics=topic or (),
        error=error,
        since=_moment("--since", since),
        until=_moment("--until", until),
        min_id=min_id,
        max_id=max_id,
        limit=limit,
    )
    target = database()
    require_schema(target)
    store = PostgresStore(lambda: target.connect("plura-tx-replay", CONSUMER_ROLE))
    with (
        stopping_by_signals() as stopping,
        closing(store),
        database_problems(target),
        target.connect("plura-tx-replay", CONSUMER_ROLE) as connection,
        progress_bar("bad events", counts=True) as advance,
    ):
        destination: Destination
        if into == "kafka" or (into is None and read_settings(KafkaSettings).bootstrap):
            destination = IntoKafka(profile=profile, client_options=required_kafka().client_options())
        else:
            destination = IntoTables(ingest=Ingest(reader=EventReader(profile), store=store, stopping=stopping))
        settled, bad = replay(connection, selection, destination, lambda count: advance(count, count, ""))
    say(
        f"{settled:,} events {'published again' if isinstance(destination, IntoKafka) else 'stored'}, {bad:,} still bad"
    )
    if bad:
        raise ServiceError(f"{bad:,} events are still bad: error_detail in bo.consumer_dlq_events says why")


def require_schema(database: Database) -> None:
    """Check that the database is migrated.

    Raises:
        ServiceError: it is not migrated, or does not answer.
    """
    with database_problems(database):
        _check_schema(database)


def _await_database(process: ConsumerProcess, stopping: threading.Event) -> dict[Place, StoredState]:
    """Return the stored state of the group, as soon as the database answers; empty if the process stops before.

    Raises:
        ServiceError: the database is not migrated.
    """
    import psycopg

    while not stopping.is_set():
        process.state.looped_at = time.monotonic()
        try:
            with database_problems(process.database):
                _check_schema(process.database)
                return process.heartbeat.stored()
        except ServiceError as error:
            if not isinstance(error.__cause__, psycopg.OperationalError):
                raise
            log.warning("database unavailable", extra=fields(said=str(error)))
            stopping.wait(_RETRY_SECONDS)
    return {}


def _check_schema(database: Database) -> None:
    from plura.kit.migrations import require_migrated
    from plura.tx.db import CONSUMER_ROLE, SCHEMA, bo_migrations

    with database.connect("plura-tx-check") as connection:
        if connection.execute("select to_regrole(%s)", [CONSUMER_ROLE]).fetchone() == (None,):
            raise ServiceError(f"database {database.where} is not prepared: run plura tx migrate")
    with database.connect("plura-tx-check", CONSUMER_ROLE) as connection:
        require_migrated(connection, SCHEMA, bo_migrations())


def _share_heaps() -> None:
    """Let all threads share two heaps of glibc; by default each thread reserves 64 MiB for its own heap.

    A process with a limited address space would run out of it, although most of that memory is never used.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 2)


@contextmanager
def stopping_by_signals() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and SIGINT set while the block runs; a second signal ends the process at once."""
    stopping = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]

    def stop(number: int, _: object) -> None:
        stopping.set()
        signal.signal(number, signal.SIG_DFL)

    for number in numbers:
        signal.signal(number, stop)
    try:
        yield stopping
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _print(summary: Summary) -> None:
    parts = [f"{summary.events:,} events", f"{summary.changed:,} rows new or changed", f"{summary.failed:,} bad"]
    if summary.out_of_range:
        parts.append(f"{summary.out_of_range:,} out of range")
    if summary.skipped_lines:
        parts.append(f"{summary.skipped_lines:,} lines stored earlier")
    speed = f"{summary.seconds:.1f} s, {summary.events / summary.seconds:,.0f} events/s"
    say(f"{summary.file.name}: {', '.join(parts)} ({speed})")


def _moment(option: str, given: str | None) -> datetime | None:
    if given is None:
        return None
    if re.search(r"[.,][0-9]{7}", given):
        raise typer.BadParameter(f"{given!r} is finer than a microsecond", param_hint=option)
    try:
        found = datetime.fromisoformat(given)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{given!r} is not in ISO 8601", param_hint=option) from None
