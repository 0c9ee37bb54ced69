"""``plura lake publish``: tell the EventHub of CRITICAL exceptions."""

from __future__ import annotations

import logging
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from plura.cli.console import fail, progress_bar, say, warn
from plura.cli.lake import Target, Wait, _settings
from plura.cli.lake_bronze import existing
from python_jobs.warehouse import LakeError

if TYPE_CHECKING:
    from plura.kit.settings import LakeSettings
    from python_jobs.publish import DuckDBOutbox, Hub, PassReport, Publisher

_SHOWN = 20
"""Refused events that are listed."""

_FOLLOWING_WAIT_SECONDS = 600.0
"""How long a publisher that follows waits for a run to end before it says so."""


class Way(StrEnum):
    """How events travel."""

    HTTP = "http"
    KAFKA = "kafka"


def publish(
    to: Annotated[
        Way | None, typer.Option(help="Way to deliver; default: http where PLURA_EVENTHUB_URL is set, else kafka.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on for ever; new events are looked for.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between two looks with --follow.", min=0.1)] = 5,
    timeout: Annotated[float, typer.Option(help="Seconds in which an event must be confirmed.", min=0.1)] = 10,
    retry_refused: Annotated[bool, typer.Option("--retry-refused", help="Send refused events once more.")] = False,
    dismiss: Annotated[
        list[str] | None, typer.Option(help="Id of a refused event that is dealt with; may be repeated.")
    ] = None,
    target: Target = None,
    wait: Wait = 0,
) -> None:
    """Deliver the events of CRITICAL exceptions to the EventHub, at least once and in order for each exception.

    Settings: PLURA_EVENTHUB_URL and PLURA_EVENTHUB_TOKEN, or PLURA_KAFKA_BOOTSTRAP and PLURA_EVENTHUB_TOPIC. The
    command can be killed and repeated: the EventHub tells a repeated event by its id. Events that it refuses for good
    are kept and listed, and the exit code is 1 until they are sent with --retry-refused or put away with --dismiss.
    """
    from python_jobs.publish import DuckDBOutbox, Publisher, sole_publisher

    settings = _settings(target)
    if settings.target != "duckdb":
        raise LakeError(f"events of the target {settings.target} cannot be published yet: use the target duckdb")
    hub, name = _hub(settings, to, timeout)
    warehouse = existing(settings)
    outbox = DuckDBOutbox(warehouse, wait_seconds=max(wait, _FOLLOWING_WAIT_SECONDS) if follow else wait)
    publisher = Publisher(outbox=outbox, hub=hub)
    try:
        with sole_publisher(warehouse):
            for event_id in dismiss or []:
                outbox.dismiss(event_id)
                say(f"event {event_id} is dismissed")
            if retry_refused:
                say(f"refused before and waiting again: {_events(outbox.retry_refused())}")
            if follow:
                _follow(publisher, outbox, name, every)
            elif not _once(publisher, outbox, name):
                raise typer.Exit(1)
    finally:
        hub.close()


def _once(publisher: Publisher, outbox: DuckDBOutbox, name: str) -> bool:
    """Deliver what waits and say what became of it; whether nothing is left."""
    total = outbox.standing().waiting
    with progress_bar("publish", counts=True) as advance:
        report = publisher.publish(progress=lambda done: advance(done, max(total, done), ""))
    standing = outbox.standing(examples=_SHOWN)
    for event in standing.examples:
        fail(f"event {event.event_id} of exception {event.exception_id} was refused: {event.error}")
    if standing.refused > len(standing.examples):
        fail(f"{_events(standing.refused - len(standing.examples))} more refused: see gold.event_delivery")
    if report.failed:
        fail(f"{_events(standing.waiting)} waiting for {name}: {report.last_error}")
    say(_told(report, name))
    return not standing.refused and report.is_complete


def _follow(publisher: Publisher, outbox: DuckDBOutbox, name: str, every: float) -> None:
    """Deliver for ever; the warehouse is opened only after somebody wrote to it or while something waits.

    What may pass is warned of once: a long run, a hub that does not answer, an outbox that is not there yet.
    """
    from python_jobs.publish import PublisherRejectedError

    seen: tuple[int, int] | None = None
    warned = ""
    while True:
        version, pause, problem = outbox.version(), every, ""
        if version != seen:
            try:
                report = publisher.publish()
            except PublisherRejectedError:
                raise
            except LakeError as error:
                problem = str(error)
            else:
                seen = version if report.is_complete else None
                pause = max(every, report.retry_after)
                problem = report.last_error or report.last_refusal or ""
                if report.delivered:
                    say(_told(report, name))
        if problem and problem != warned:
            warn(problem)
        warned = problem
        time.sleep(pause)


def _told(report: PassReport, name: str) -> str:
    if not (report.delivered or report.refused or report.failed):
        return f"nothing to tell {name}"
    return f"{_events(report.delivered)} delivered to {name}"


def _events(count: int) -> str:
    return f"{count:,} {'event' if count == 1 else 'events'}"


def _hub(settings: LakeSettings, to: Way | None, timeout: float) -> tuple[Hub, str]:
    """The way to the EventHub, and what to call it.

    Raises:
        LakeError: its settings are missing or wrong.
    """
    from python_jobs.publish import HttpHub, KafkaHub

    if to is None:
        to = Way.HTTP if settings.eventhub_url or not settings.kafka_bootstrap else Way.KAFKA
    if to is Way.KAFKA:
        if not settings.kafka_bootstrap:
            raise LakeError("no Kafka is known: name its brokers with PLURA_KAFKA_BOOTSTRAP")
        # its log would mix with our one line for each problem
        logging.getLogger("kafka").addHandler(logging.NullHandler())
        topic = settings.eventhub_topic
        return KafkaHub(settings.kafka_bootstrap, topic, timeout=timeout), f"the Kafka topic {topic}"
    if not settings.eventhub_url:
        raise LakeError("no EventHub is known: name its address with PLURA_EVENTHUB_URL")
    token = settings.eventhub_token.get_secret_value() if settings.eventhub_token else None
    hub = HttpHub(settings.eventhub_url, token, timeout=timeout)
    if token and not hub.is_private:
        warn(f"the token goes to {hub.host} unencrypted: use https")
    return hub, f"the EventHub {hub.host}"
