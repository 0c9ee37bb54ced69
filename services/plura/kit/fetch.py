"""Small requests to other servers: a few kilobytes, over before anyone gets impatient."""

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
"""Longest pause of the other server; a whole request has twice as long."""


class FetchError(Exception):
    """The other server gave no usable answer."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Goes where it was told to, and nowhere else: an address of the settings was trusted, not what it points to."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing; the answer becomes an error."""
        return


class _Deadline:
    """Cuts a request off when its time is over.

    The timeout of a socket begins anew with each byte: a server that drips would hold a thread for days, and host names
    are looked up by the same few threads, those of databases too.
    """

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self.is_over = False

    def __enter__(self) -> Self:
        """Begin."""
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End in time, or after the cut."""
        self._timer.cancel()
        self._timer.join()
        with self._lock:
            for one in self._sockets:
                one.close()

    def watch(self, connected: socket.socket) -> None:
        """Cut this connection off as well; a copy of it, because the original is closed by others and taken by TLS."""
        with self._lock:
            self._sockets.append(connected.dup())
        if self.is_over:
            self._cut()

    def _cut(self) -> None:
        self.is_over = True
        with self._lock:
            for one in self._sockets:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


class _Connection(HTTPConnection):
    """A connection that a deadline ends."""

    deadline: _Deadline

    def connect(self) -> None:
        """Connect; over TLS this is the part before its handshake."""
        super().connect()
        self.deadline.watch(self.sock)


class _TlsConnection(HTTPSConnection, _Connection):
    """The same over TLS."""


class _Handler(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Makes such connections."""

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
    """Return the body of ``url``, asked by GET, or by POST with an encoded form.

    Raises:
        FetchError: no answer in time, an answer other than 2xx, or one that is too long.
    """
    request = _request(url, form, {"Accept": "application/json"})
    try:
        return await asyncio.wait_for(asyncio.to_thread(_sent, request), timeout=2 * TIMEOUT_SECONDS)
    except TimeoutError:
        raise FetchError(f"{url} did not answer in time") from None


def post(url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return the answer to ``body``; blocks.

    Raises:
        FetchError: no answer in time, an answer other than 2xx, or one that is too long.
    """
    return _sent(_request(url, body, headers))


def _request(url: str, body: bytes | None, headers: Mapping[str, str]) -> urllib.request.Request:
    return urllib.request.Request(url, data=body, headers=dict(headers))  # noqa: S310  # the settings check it


def _sent(request: urllib.request.Request) -> bytes:
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
        if deadline.is_over:  # what came until then looks like a whole body
            raise FetchError(f"{url} did not answer in time")
    if len(body) > LIMIT_BYTES:
        raise FetchError(f"{url} answered more than {LIMIT_BYTES} bytes")
    return body
