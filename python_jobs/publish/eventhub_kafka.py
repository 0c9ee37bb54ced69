"""The EventHub over Kafka: one record for each event, with the exception as key."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from python_jobs.publish.events import EventRefusedError, HubUnavailableError, OutboxEvent, PublisherRejectedError

TOPIC = "ops.ingest.v1"
"""Where the EventHub takes events in."""

_GRACE_SECONDS = 1.0
"""The producer itself gives a record up at its time; only if it does not, we do."""

_REFUSING = ("MessageSizeTooLargeError", "RecordListTooLargeError", "InvalidRecordError")
_REJECTING = (
    "AuthorizationError",
    "SaslAuthenticationFailedError",
    "UnsupportedSaslMechanismError",
    "InvalidTopicError",
    "KafkaConfigurationError",
)


class Sent(Protocol):
    """A record on its way."""

    def get(self, timeout: float) -> object:
        """Wait for the confirmation of all in-sync replicas."""


class Producer(Protocol):
    """The used part of a producer of kafka-python."""

    def send(self, topic: str, value: bytes, key: bytes, headers: Sequence[tuple[str, bytes]]) -> Sent:
        """Put a record on its way."""

    def close(self, timeout: float) -> None:
        """Give up undelivered events after some seconds."""


class KafkaHub:
    """Writes events to a topic; a record counts as delivered once all in-sync replicas have it."""

    def __init__(
        self,
        client_options: Mapping[str, Any],
        topic: str = TOPIC,
        *,
        timeout: float = 10.0,
        connect: Callable[..., Producer] | None = None,
    ) -> None:
        """Take the brokers and the topic; nothing is connected yet.

        Args:
            client_options: arguments of kafka-python's clients: ``bootstrap_servers``, and how to sign in.
            topic: topic to write to.
            timeout: seconds until a record must be confirmed.
            connect: makes a producer from settings of kafka-python; by default ``kafka.KafkaProducer``.

        Raises:
            PublisherRejectedError: kafka-python is not installed.
        """
        try:
            # imported here because deliveries over HTTP do without it
            self._errors: Any = importlib.import_module("kafka.errors")
            self._connect = connect or importlib.import_module("kafka").KafkaProducer
        except ModuleNotFoundError:
            raise PublisherRejectedError("deliveries over Kafka need the package kafka-python") from None
        self._client_options = dict(client_options)
        self._topic = topic
        self._timeout = timeout
        self._producer: Producer | None = None

    def send(self, event: OutboxEvent) -> None:
        """Write the event and wait until it is confirmed.

        Raises:
            HubUnavailableError: it was not confirmed in time, or a broker reported an error.
            EventRefusedError: the event is larger than the brokers allow, or no valid record.
            PublisherRejectedError: we may not write to the topic, or it cannot exist.
        """
        try:
            if self._producer is None:
                self._producer = self._new_producer()
            self._producer.send(
                self._topic,
                value=event.body.encode(),
                key=event.exception_key.encode(),
                headers=[("content-type", b"application/json"), ("event_id", event.event_id.encode())],
            ).get(timeout=self._timeout + _GRACE_SECONDS)
        except self._errors.KafkaError as error:
            # an idempotent producer that lost a record meets every later one with the same error, and one that still
            # holds a record might send it too late
            self.close()
            message = " ".join(str(error).split())[:300]
            if self._is_one(error, _REFUSING):
                raise EventRefusedError(message) from None
            if self._is_one(error, _REJECTING):
                raise PublisherRejectedError(f"Kafka takes no event for {self._topic}: {message}") from None
            raise HubUnavailableError(message) from None

    def close(self) -> None:
        """Give the connection up, with whatever is still on its way.

        A record that is past its time is never sent, so that it is enough to let that time pass.
        """
        if self._producer is not None:
            producer, self._producer = self._producer, None
            with contextlib.suppress(self._errors.KafkaError):  # that of the record given up, which was reported
                producer.close(timeout=self._timeout)

    def _new_producer(self) -> Producer:
        milliseconds = int(self._timeout * 1000)
        return self._connect(
            **self._client_options,
            client_id="plura-lake",
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            bootstrap_timeout_ms=milliseconds,
            max_block_ms=milliseconds,
            request_timeout_ms=milliseconds,
            delivery_timeout_ms=milliseconds,
        )

    def _is_one(self, error: Exception, names: Sequence[str]) -> bool:
        return isinstance(error, tuple(getattr(self._errors, name) for name in names))
