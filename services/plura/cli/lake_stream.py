"""``plura lake stream``: messages of Kafka topics into Bronze on Delta Lake."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plura.cli.console import say, warn
from plura.cli.options import Wait, lake_settings, required_kafka, spark_lake
from plura.kit.kafka import KafkaSettings
from plura.kit.lake_settings import LakeSettings, SparkSettings
from plura.kit.service_settings import read_settings
from python_jobs.contracts import Table, read_contracts
from python_jobs.warehouse import LakeError

if TYPE_CHECKING:
    from python_jobs.stream import Feed

_ANSWER_MS = 5000


def stream(
    once: Annotated[
        bool, typer.Option("--once", help="Read the messages that exist and end, instead of going on.")
    ] = False,
    topics: Annotated[
        str | None,
        typer.Option(
            help="Topics, comma separated: names that the lake knows, TOPIC=SOURCE, or TOPIC=user_wallets:cdc. Default:"
            " PLURA_STREAM_TOPICS, else all known ones that exist."
        ),
    ] = None,
    every: Annotated[float, typer.Option(help="Seconds between two micro-batches of a topic.", min=0)] = 10,
    most: Annotated[int, typer.Option(help="Messages of one micro-batch at most.", min=1)] = 200_000,
    target: Annotated[str, typer.Option(help="dbt target to work on; spark is the only one that streams.")] = "spark",
    wait: Wait = 0,
) -> None:
    """Stream messages of Kafka topics into Bronze on Delta Lake, each exactly once.

    Settings: PLURA_KAFKA_BOOTSTRAP and, where brokers ask for them, PLURA_KAFKA_SECURITY_PROTOCOL,
    PLURA_KAFKA_SASL_MECHANISM, PLURA_KAFKA_SASL_USERNAME, PLURA_KAFKA_SASL_PASSWORD, PLURA_KAFKA_SSL_CA_LOCATION;
    PLURA_SPARK_CHECKPOINT_DIR, the folder of what was read so far (default data/checkpoints).

    Topics known by name are ledger.entry.upserted, payment.order.upserted, cdc.user_wallets, and raw.SOURCE for the
    lines of each source. Messages that cannot be read are kept in bronze.malformed_lines with topic, partition and
    offset. SIGTERM and Ctrl-C end it after the current micro-batches; it can be killed and restarted at any
    moment. While the brokers do not answer it waits.
    """
    from python_jobs import stream as streaming

    settings = lake_settings(target)
    if settings.target != "spark":
        raise LakeError(f"target {settings.target} does not stream: only spark does")
    kafka = required_kafka()
    tables = read_contracts(settings.project_dir)
    feeds = _feeds(kafka, tables, topics or settings.stream_topics)
    spark = read_settings(SparkSettings)
    if spark.remote:
        raise LakeError("a stream runs where its session is: submit it to the cluster, without PLURA_SPARK_REMOTE")
    request = streaming.StreamRequest(
        feeds=feeds,
        source_options=kafka.spark_options(),
        checkpoints=checkpoints(settings, spark),
        once=once,
        every_seconds=every,
        most_messages=most,
    )
    names = {feed.topic for feed in feeds}
    stopping = threading.Event()
    with spark_lake(settings, wait).bronze() as bronze, _set_by_signals(stopping):
        say(f"streaming {', '.join(feed.topic for feed in feeds)}")
        streaming.stream(
            bronze, request, stopping=stopping, answers=lambda: _topics_answer(kafka, names), notify=warn, written=say
        )
    say("next: plura lake run --target spark")


def checkpoints(settings: LakeSettings, spark: SparkSettings) -> str:
    """Return the folder of the checkpoints; on a cluster it may be an address, which is no path."""
    return str(settings.resolved(Path(spark.checkpoint_dir))) if spark.is_local else spark.checkpoint_dir


def _feeds(kafka: KafkaSettings, tables: dict[str, Table], words: str) -> list[Feed]:
    """Return the requested feeds, else the known ones whose topics exist.

    Raises:
        LakeError: the brokers do not answer, or a topic does not exist.
    """
    from python_jobs.stream import default_feeds, read_feeds

    named = read_feeds([word.strip() for word in words.split(",") if word.strip()], tables)
    existing = existing_topics(kafka)
    if missing := [feed.topic for feed in named if feed.topic not in existing]:
        raise LakeError(f"there is no topic {', '.join(missing)} on {kafka.bootstrap}")
    feeds = named or [feed for feed in default_feeds(tables) if feed.topic in existing]
    if not feeds:
        known = ", ".join(feed.topic for feed in default_feeds(tables))
        raise LakeError(f"no topic on {kafka.bootstrap} is one of {known}: name others with --topics")
    return feeds


def existing_topics(kafka: KafkaSettings) -> set[str]:
    """Return the names of the topics.

    Raises:
        LakeError: the brokers do not answer, or refuse the client.
    """
    from kafka import KafkaAdminClient  # type: ignore[import-untyped]
    from kafka.errors import KafkaError  # type: ignore[import-untyped]

    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # a failure is reported in one line
    try:
        client = KafkaAdminClient(**kafka.client_options(), bootstrap_timeout_ms=_ANSWER_MS)
        try:
            return set(client.list_topics())
        finally:
            client.close()
    except (KafkaError, OSError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise LakeError(
            f"the brokers at {kafka.bootstrap} do not answer ({why}): PLURA_KAFKA_BOOTSTRAP names them"
        ) from error


def _topics_answer(kafka: KafkaSettings, names: set[str]) -> bool:
    try:
        return names <= existing_topics(kafka)
    except LakeError:
        return False


@contextmanager
def _set_by_signals(stopping: threading.Event) -> Iterator[None]:
    """Set the event on SIGTERM and SIGINT while the block runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: stopping.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
