"""Small HTTP requests to other servers, with limits on time and size."""

from __future__ import annotations

import asyncio
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, Self

LIMIT_BYTES = 1_000_000
TIMEOUT_SECONDS = 5.0
"""Longest pause of the server; a whole request may take twice as long."""


class FetchError(Exception):
    """The server returned no usable response."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirects: the settings' address is trusted, not its redirect targets."""

    def redirect_request(self, *_: Any) -> None:
        """Follow no redirect; the response becomes an error."""
        return


class _Deadline:
    """Aborts a request when its time is over.

    A socket's timeout restarts with each byte: a slow server could hold a thread for days, and the same few threads
    resolve host names, also those of databases.
    """

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._abort)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self.is_over = False

    def __enter__(self) -> Self:
        """Start the timer."""
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the timer, or wait for the abort."""
        self._timer.cancel()
        self._timer.join()
        with self._lock:
            for watched in self._sockets:
                watched.close()

    def watch(self, connected: socket.socket) -> None:
        """Abort this connection as well; a duplicate of it, because TLS takes over the original."""
        with self._lock:
            self._sockets.append(connected.dup())
        if self.is_over:
            self._abort()

    def _abort(self) -> None:
        self.is_over = True
        with self._lock:
            for watched in self._sockets:
                with suppress(OSError):
                    watched.shutdown(socket.SHUT_RDWR)


class _Connection(HTTPConnection):
    """A connection that a deadline ends."""

    deadline: _Deadline

    def connect(self) -> None:
        """Connect; for TLS, before the handshake."""
        super().connect()
        self.deadline.watch(self.sock)


class _TlsConnection(HTTPSConnection, _Connection):
    """A TLS connection that a deadline ends."""


class _Handler(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Opens connections with a deadline."""

    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        """Send a request."""
        return self.do_open(partial(self._connection, _Connection), req)

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        """Send a request over TLS."""
        return self.do_open(partial(self._connection, _TlsConnection), req)

    def _connection(self, kind: type[_Connection], host: str, **more: Any) -> _Connection:
        made = kind(host, **more)
        made.deadline = self._deadline
        return made


async def fetch(url: str, *, form: bytes | None = None) -> bytes:
    """Return the body of a GET of ``url``, or of a POST if ``form`` is given.

    Raises:
        FetchError: no response in time, a status other than 2xx, or a response that is too long.
    """
    request = _request(url, form, {"Accept": "application/json"})
    try:
        return await asyncio.wait_for(asyncio.to_thread(_send, request), timeout=2 * TIMEOUT_SECONDS)
    except TimeoutError:
        raise FetchError(f"{url} did not answer in time") from None


def post(url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return the response to a POST of ``body``; blocks.

    Raises:
        FetchError: no response in time, a status other than 2xx, or a response that is too long.
    """
    return _send(_request(url, body, headers))


def _request(url: str, body: bytes | None, headers: Mapping[str, str]) -> urllib.request.Request:
    return urllib.request.Request(url, data=body, headers=dict(headers))  # noqa: S310  # the settings check it


def _send(request: urllib.request.Request) -> bytes:
    url = request.full_url
    with _Deadline(2 * TIMEOUT_SECONDS) as deadline:
        opener = urllib.request.build_opener(_NoRedirect, _Handler(deadline))
        try:
            with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                body: bytes = answer.read(LIMIT_BYTES + 1)
        except urllib.error.HTTPError as error:
            error.close()
            raise FetchError(f"{url} answered {error.code}") from None
        except (OSError, HTTPException) as error:
            raise FetchError(f"{url}: {error}") from None
        if deadline.is_over:  # the partial body looks complete
            raise FetchError(f"{url} did not answer in time")
    if len(body) > LIMIT_BYTES:
        raise FetchError(f"{url} answered more than {LIMIT_BYTES} bytes")
    return body
