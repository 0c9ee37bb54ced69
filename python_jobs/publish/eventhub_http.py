"""The EventHub over HTTP: one POST for each event, on a connection that is kept."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from python_jobs.publish.events import EventRefusedError, HubUnavailableError, OutboxEvent, PublisherRejectedError

PUBLISH_PATH = "/v1/eventhub/publish"
"""Where events go when the address names no path."""

_LONGEST_ANSWER = 64 * 1024
_LONGEST_TEXT = 300
_LONGEST_PAUSE_SECONDS = 3600.0
"""The hub is asked again after an hour, whatever it says: its clock may be wrong."""

_ACCEPTED = range(200, 300)
_TRY_AGAIN = frozenset({408, 425, 429})
_NOT_FOR_US = frozenset({401, 403, 404, 405, 407})
"""Answers that would be the same for every event: an event must not be given up for a wrong token."""


@dataclass(frozen=True, kw_only=True)
class _Answer:
    status: int
    retry_after: str | None
    text: str
    is_whole: bool


class HttpHub:
    """Posts events to an EventHub; the receiver recognizes a repeated event by its id."""

    def __init__(self, url: str, token: str | None = None, *, timeout: float = 10.0) -> None:
        """Take the address and the token as the user gave them; nothing is connected yet.

        Args:
            url: http or https; without a path events go to ``/v1/eventhub/publish``.
            token: sent as bearer token; never part of a message of this class.
            timeout: seconds that a whole exchange may take.

        Raises:
            PublisherRejectedError: one of them cannot be used.
        """
        parts = urlsplit(url.strip())
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise PublisherRejectedError("PLURA_EVENTHUB_URL must be an address like https://hub.example")
        if parts.username or parts.password:
            raise PublisherRejectedError("PLURA_EVENTHUB_URL must hold no password: use PLURA_EVENTHUB_TOKEN")
        self._token = (token or "").strip()
        if not (self._token.isascii() and self._token.isprintable()) or " " in self._token:
            raise PublisherRejectedError("PLURA_EVENTHUB_TOKEN holds characters that no token has")
        self._secure = parts.scheme == "https"
        try:
            self._host, self._port = parts.hostname, parts.port
        except ValueError:
            raise PublisherRejectedError("PLURA_EVENTHUB_URL names a port that cannot be") from None
        self._path = (parts.path if parts.path not in {"", "/"} else PUBLISH_PATH) + (
            f"?{parts.query}" if parts.query else ""
        )
        self._timeout = timeout
        self._connection: http.client.HTTPConnection | None = None

    @property
    def host(self) -> str:
        """Name of the EventHub."""
        return self._host

    @property
    def is_private(self) -> bool:
        """Whether the connection is encrypted or stays on this machine."""
        return self._secure or self._host in {"localhost", "127.0.0.1", "::1"}

    def send(self, event: OutboxEvent) -> None:
        """Post the event and read the answer.

        Raises:
            HubUnavailableError: no connection, no whole answer in time, or an answer that may be another later.
            EventRefusedError: the hub does not take the event (4xx).
            PublisherRejectedError: the hub takes nothing from us (redirects, 401, 403, 404, 405, 407, certificate).
        """
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": event.event_id,
            "User-Agent": "plura-lake",
        }
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        answer = self._post(event.body.encode(), headers)
        text = f"HTTP {answer.status}: {answer.text}" if answer.text else f"HTTP {answer.status}"
        if answer.status in _ACCEPTED and answer.is_whole:
            return
        if answer.status in _ACCEPTED:
            raise HubUnavailableError(f"the answer of {self._host} broke off")
        if answer.status in _TRY_AGAIN or answer.status >= 500:  # noqa: PLR2004
            raise HubUnavailableError(text, retry_after=_seconds(answer.retry_after))
        if answer.status in _NOT_FOR_US or answer.status < 400:  # noqa: PLR2004
            raise PublisherRejectedError(
                f"the EventHub {self._host} takes no event: {text}; check PLURA_EVENTHUB_URL and PLURA_EVENTHUB_TOKEN"
            )
        raise EventRefusedError(text)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, body: bytes, headers: dict[str, str]) -> _Answer:
        """Exchange a request for an answer, once more where the hub had closed the kept connection meanwhile."""
        was_kept = self._connection is not None
        deadline = threading.Event()
        try:
            try:
                return self._exchange(body, headers, deadline)
            except (http.client.RemoteDisconnected, ConnectionError):
                if not was_kept or deadline.is_set():
                    raise
                self.close()
                return self._exchange(body, headers, deadline)
        except ssl.SSLCertVerificationError as error:
            raise PublisherRejectedError(
                f"the certificate of {self._host} is not valid: {error.verify_message}"
            ) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            if deadline.is_set() or isinstance(error, TimeoutError):
                raise HubUnavailableError(f"no answer from {self._host} within {self._timeout:g} s") from None
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise HubUnavailableError(f"no answer from {self._host}: {reason}") from None

    def _exchange(self, body: bytes, headers: dict[str, str], deadline: threading.Event) -> _Answer:
        """Send and read on the kept connection or a new one, which is kept only after a whole answer."""
        connection, self._connection = self._connection or self._connect(), None
        watch = threading.Timer(self._timeout, _cut, (connection, deadline))
        watch.daemon = True
        watch.start()
        may_be_kept = False
        try:
            if connection.sock is None:
                connection.connect()
            if deadline.is_set():
                raise TimeoutError  # before there was a socket to cut
            connection.request("POST", self._path, body, headers)
            with connection.getresponse() as response:
                content = response.read(_LONGEST_ANSWER)
                is_whole = not response.length
                may_be_kept = is_whole and not response.will_close
                return _Answer(
                    status=response.status,
                    retry_after=response.getheader("Retry-After"),
                    text=self._plain(content),
                    is_whole=is_whole or len(content) == _LONGEST_ANSWER,
                )
        finally:
            watch.cancel()
            if may_be_kept and not deadline.is_set():
                self._connection = connection
            else:
                connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        if self._secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout, context=context)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)

    def _plain(self, content: bytes) -> str:
        """One line of what the hub says, fit to be stored and printed, without the token."""
        text = content.decode("utf-8", "replace")
        if self._token:
            text = text.replace(self._token, "***")
        shown = "".join(character if character.isprintable() else " " for character in text)
        return " ".join(shown.split())[:_LONGEST_TEXT]


def _cut(connection: http.client.HTTPConnection, deadline: threading.Event) -> None:
    """End an exchange that takes too long, however slowly the answer trickles in."""
    deadline.set()
    if connection.sock is not None:
        try:
            connection.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it ended by itself


def _seconds(retry_after: str | None) -> float | None:
    """Read a Retry-After header: seconds, or the instant to wait for; None where it says nothing."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return min(float(retry_after), _LONGEST_PAUSE_SECONDS)
    try:
        instant = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return min(max(0.0, aware.timestamp() - time.time()), _LONGEST_PAUSE_SECONDS)
