"""``plura lake publish``: deliver the events of CRITICAL exceptions to the EventHub."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from plura.cli.console import fail, progress_bar, say, warn
from plura.cli.options import Target, Wait, lake_of, lake_settings, required_kafka
from plura.cli.own_process import in_own_process
from plura.kit.kafka import KafkaSettings
from plura.kit.service_settings import read_settings
from python_jobs.warehouse import LakeError

if TYPE_CHECKING:
    from plura.kit.lake_settings import LakeSettings
    from python_jobs.lakes.lake import Lake
    from python_jobs.publish import Hub, Outbox, PassReport, Publisher

_SHOWN = 20
"""Refused events that are listed."""

_FOLLOWING_WAIT_SECONDS = 600.0
"""How long a publisher that follows waits for a run to end before it warns."""

_SPARK_PAUSE_SECONDS = 60.0
"""Least pause after an incomplete pass on a Spark warehouse of this machine, in which other commands use it."""

_NEVER = object()


class Way(StrEnum):
    """How events travel."""

    HTTP = "http"
    KAFKA = "kafka"


def publish(
    to: Annotated[
        Way | None, typer.Option(help="How to deliver; default: http where PLURA_EVENTHUB_URL is set, else kafka.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Keep running, and send new events as they come.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between two polls with --follow.", min=0.1)] = 5,
    timeout: Annotated[float, typer.Option(help="Seconds in which an event must be confirmed.", min=0.1)] = 10,
    retry_refused: Annotated[bool, typer.Option("--retry-refused", help="Send refused events once more.")] = False,
    dismiss: Annotated[
        list[str] | None, typer.Option(help="Id of a refused event that needs no delivery; may be repeated.")
    ] = None,
    target: Target = None,
    wait: Wait = 0,
) -> None:
    """Deliver the events of CRITICAL exceptions to the EventHub, at least once and in order for each exception.

    Settings: PLURA_EVENTHUB_URL and PLURA_EVENTHUB_TOKEN, or PLURA_EVENTHUB_TOPIC, PLURA_KAFKA_BOOTSTRAP and the other
    settings of Kafka (plura lake stream --help). The command can be killed and repeated: the EventHub
    recognizes a repeated event by its id. Events that it refuses for good are kept and listed, and the exit code is 1
    until they are sent with --retry-refused or dismissed with --dismiss.

    A Spark warehouse of this machine is held until the command ends. With --follow each pass over new events is a
    Spark session of its own and nothing is held between passes; give loads and runs --wait.
    """
    from python_jobs.publish import Publisher

    settings = lake_settings(target)
    hub, name = _hub(settings, to, timeout)
    _warn_of_open_way(settings, hub)
    lake = lake_of(settings, max(wait, _FOLLOWING_WAIT_SECONDS) if follow else wait)
    try:
        with lake.sole_publisher():
            if follow and lake.publisher_is_exclusive:
                if dismiss or retry_refused:
                    in_own_process(_update_refused_there, lake, dismiss or [], retry_refused)
                one_pass = partial(_pass_in_own_process, lake, settings, to, timeout)
                _follow(one_pass, lake.outbox_version, name, every, after_failure=_SPARK_PAUSE_SECONDS)
            with lake.outbox() as outbox:
                _update_refused(outbox, dismiss or [], retry_refused)
                publisher = Publisher(outbox=outbox, hub=hub)
                if follow:
                    _follow(publisher.publish, outbox.version, name, every)
                if not _once(publisher, name):
                    raise typer.Exit(1)
    finally:
        hub.close()


def _update_refused(outbox: Outbox, dismissed: list[str], retry_refused: bool) -> None:
    """Dismiss refused events, or let them wait again."""
    for event_id in dismissed:
        outbox.dismiss(event_id)
        say(f"event {event_id} is dismissed")
    if retry_refused:
        say(f"refused before and waiting again: {_events(outbox.retry_refused())}")


def _once(publisher: Publisher, name: str) -> bool:
    """Deliver the waiting events and print the outcome; whether nothing is left."""
    outbox = publisher.outbox
    total = outbox.counts().waiting
    with progress_bar("publish", counts=True) as advance:
        report = publisher.publish(progress=lambda done: advance(done, max(total, done), ""))
    counts = outbox.counts(examples=_SHOWN)
    for event in counts.examples:
        fail(f"event {event.event_id} of exception {event.exception_id} was refused: {event.error}")
    if counts.refused > len(counts.examples):
        fail(f"{_events(counts.refused - len(counts.examples))} more refused: see gold.event_delivery")
    if report.failed:
        fail(f"{_events(counts.waiting)} waiting for {name}: {report.last_error}")
    say(_delivered(report, name))
    return not counts.refused and report.is_complete


def _follow(
    one_pass: Callable[[], PassReport],
    version: Callable[[], Hashable],
    name: str,
    every: float,
    *,
    after_failure: float = 0,
) -> NoReturn:
    """Deliver until the process ends; a pass is made only after a write to the outbox or while events wait.

    A problem that may end by itself is warned of once: a long run, a hub that does not answer, a missing outbox.

    Args:
        one_pass: delivers the waiting events.
        version: returns a value that changes with every write.
        name: name of the hub in messages.
        every: seconds between two polls.
        after_failure: seconds at least before the next poll while something waits.
    """
    from python_jobs.publish import PublisherRejectedError

    seen: Hashable = _NEVER
    warned = ""
    while True:
        pause, problem = every, ""
        try:
            found = version()
            if found != seen:
                report = one_pass()
                seen = found if report.is_complete else _NEVER
                pause = every if report.is_complete else max(every, after_failure, report.retry_after)
                problem = report.last_error or report.last_refusal or ""
                if report.delivered:
                    say(_delivered(report, name))
        except PublisherRejectedError:
            raise
        except LakeError as error:
            pause, problem = max(every, after_failure), str(error)
        if problem and problem != warned:
            warn(problem)
        warned = problem
        time.sleep(pause)


def _pass_in_own_process(lake: Lake, settings: LakeSettings, to: Way | None, timeout: float) -> PassReport:
    """Deliver waiting events in a process of its own, after whose end the warehouse is free for other commands."""
    from python_jobs.publish import no_outbox

    if lake.outbox_version() is None:
        raise no_outbox()
    return in_own_process(_pass_there, lake, settings, to, timeout)


def _pass_there(lake: Lake, settings: LakeSettings, to: Way | None, timeout: float) -> PassReport:
    from python_jobs.publish import Publisher

    hub, _ = _hub(settings, to, timeout)
    try:
        with lake.outbox() as outbox:
            return Publisher(outbox=outbox, hub=hub).publish()
    finally:
        hub.close()


def _update_refused_there(lake: Lake, dismissed: list[str], retry_refused: bool) -> None:
    with lake.outbox() as outbox:
        _update_refused(outbox, dismissed, retry_refused)


def _delivered(report: PassReport, name: str) -> str:
    if not (report.delivered or report.refused or report.failed):
        return f"nothing to deliver to {name}"
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
        to = Way.HTTP if settings.eventhub_url or not read_settings(KafkaSettings).bootstrap else Way.KAFKA
    if to is Way.KAFKA:
        kafka = required_kafka()
        # its log would mix with our one line for each problem
        logging.getLogger("kafka").addHandler(logging.NullHandler())
        topic = settings.eventhub_topic
        return KafkaHub(kafka.client_options(), topic, timeout=timeout), f"the Kafka topic {topic}"
    if not settings.eventhub_url:
        raise LakeError("no EventHub is known: name its address with PLURA_EVENTHUB_URL")
    http = HttpHub(settings.eventhub_url, _token(settings), timeout=timeout)
    return http, f"the EventHub {http.host}"


def _warn_of_open_way(settings: LakeSettings, hub: Hub) -> None:
    """Warn of a token that can be read on its way."""
    from python_jobs.publish import HttpHub

    if isinstance(hub, HttpHub) and _token(settings) and not hub.is_private:
        warn(f"the token goes to {hub.host} unencrypted: use https")


def _token(settings: LakeSettings) -> str | None:
    return settings.eventhub_token.get_secret_value() if settings.eventhub_token else None
