"""The HTTP server: uvicorn with limits on what a client may take, in time and in bytes."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from plura.kit.observability import correlation
from plura.tx.api.problems import MEDIA_TYPE, problem_body

REQUEST_SECONDS = 10.0
"""Longest time for a request to arrive, head and body."""
ANSWER_SECONDS = 30.0
"""Longest time for a client to take what was sent before the connection is ended."""
HEAD_BYTES = 65_536
DRAIN_SECONDS = 10
"""How long requests at work may go on after the server was told to stop."""


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, for clients that send or take slowly, or send heads without end."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._is_complete = True
        self._in_head = False
        self._head_bytes = 0
        self._read_bytes = 0
        self._arriving = _Alarm(REQUEST_SECONDS, self._too_slow)
        self._taking = _Alarm(ANSWER_SECONDS, self._too_lazy)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._arriving.set(self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        super().connection_lost(exc)
        self._arriving.cancel()
        self._taking.cancel()

    def data_received(self, data: bytes) -> None:
        """Take bytes, and count those of a head that does not end."""
        if self._in_head or self._is_complete:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_complete:
            self._arriving.cancel()
            self._head_bytes = 0
        else:
            self._arriving.set(self.loop)
        if self._in_head and self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self._refuse_head()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._is_complete, self._in_head = False, True
        self._read_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the address."""
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._count(name, value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Count no longer: a body is not kept beyond the flow control's limit."""
        self._in_head = False
        self._head_bytes = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End a request."""
        self._is_complete = True
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Give a client that takes nothing a while."""
        super().pause_writing()
        self._taking.set(self.loop)

    def resume_writing(self) -> None:
        """The client took what was sent."""
        super().resume_writing()
        self._taking.cancel()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, or a head that was too long although it came at once."""
        if self._read_bytes > HEAD_BYTES:
            self._refuse_head()
        else:
            self._refuse(400, "Bad Request", msg)

    def _count(self, *parts: bytes) -> None:
        self._read_bytes += sum(map(len, parts))
        if self._read_bytes > HEAD_BYTES:
            raise _HeadTooLongError  # the parser stops by it, so that the application does not see the request

    def _refuse_head(self) -> None:
        self._refuse(431, "Request Header Fields Too Large", "The head of the request is too long")

    def _too_slow(self) -> None:
        if self.transport.is_closing():
            return
        cycle = self.cycle
        is_answered = cycle is not None and cycle.response_started and not (self._in_head and cycle.response_complete)
        if is_answered:
            self.transport.close()  # only the rest of an answered request is missing, or the answer is under way
        else:
            self._refuse(408, "Request Timeout", "The request did not arrive in time")

    def _too_lazy(self) -> None:
        self.transport.abort()

    def _refuse(self, status: int, title: str, detail: str) -> None:
        """Answer without asking the application, and close."""
        correlation_id = correlation.new()
        body = problem_body(
            status=status,
            code=title.lower().replace(" ", "_"),
            title=title,
            detail=detail,
            correlation_id=correlation_id,
        )
        head = (
            f"HTTP/1.1 {status} {title}\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
            f"x-correlation-id: {correlation_id}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()


def server(app: ASGIApp) -> uvicorn.Server:
    """Return a server of ``app`` that is not running yet; its sockets are given to ``run``."""
    config = uvicorn.Config(
        app,
        http=GuardedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    return uvicorn.Server(config)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that takes connections.

    Raises:
        OSError: the address is taken or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)


def serve(app: ASGIApp, listening: socket.socket) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish the requests at work."""
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn hands the signal back when it is done: that is no failure
    gc.collect()
    gc.freeze()  # what is loaded by now stays, and a collection that looked through it again would hold up all requests
    try:
        server(app).run(sockets=[listening])
    finally:
        gc.unfreeze()


class _HeadTooLongError(Exception):
    """A head has more than ``HEAD_BYTES``."""


class _Alarm:
    """A timer that is set at most once at a time."""

    def __init__(self, seconds: float, ring: Callable[[], None]) -> None:
        self._seconds = seconds
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None

    def set(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ring after the seconds, counted from the first call."""
        if self._handle is None:
            self._handle = loop.call_later(self._seconds, self._go_off)

    def cancel(self) -> None:
        """Ring not."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _go_off(self) -> None:
        self._handle = None
        self._ring()
