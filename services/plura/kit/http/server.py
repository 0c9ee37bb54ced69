"""The HTTP server: uvicorn with limits on the time and the bytes of clients."""

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

from plura.kit.http.problems import MEDIA_TYPE, problem_body
from plura.kit.observability import correlation

REQUEST_SECONDS = 10.0
"""Longest time for a request to arrive, head and body."""
ANSWER_SECONDS = 30.0
"""Longest time for a client to receive a response before the connection is closed."""
HEAD_BYTES = 65_536
DRAIN_SECONDS = 10
"""How long running requests may continue after the server was stopped."""


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with limits for slow clients and for oversized request heads."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._is_complete = True
        self._in_head = False
        self._head_bytes = 0
        self._read_bytes = 0
        self._request_timer = _Timer(REQUEST_SECONDS, self._request_timed_out)
        self._response_timer = _Timer(ANSWER_SECONDS, self._response_timed_out)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """Start to wait for the first request."""
        super().connection_made(transport)
        self._request_timer.start(self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers."""
        super().connection_lost(exc)
        self._request_timer.stop()
        self._response_timer.stop()

    def data_received(self, data: bytes) -> None:
        """Receive bytes, and count those of an unfinished request head."""
        if self._in_head or self._is_complete:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_complete:
            self._request_timer.stop()
            self._head_bytes = 0
        else:
            self._request_timer.start(self.loop)
        if self._in_head and self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self._refuse_head()

    def on_message_begin(self) -> None:
        """Start a request."""
        super().on_message_begin()
        self._is_complete, self._in_head = False, True
        self._read_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Receive a part of the URL."""
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Receive a header."""
        self._count(name, value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop counting: flow control limits the size of a body in memory."""
        self._in_head = False
        self._head_bytes = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End a request."""
        self._is_complete = True
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Start the timer of a client that receives nothing."""
        super().pause_writing()
        self._response_timer.start(self.loop)

    def resume_writing(self) -> None:
        """Stop the timer: the client has received the data."""
        super().resume_writing()
        self._response_timer.stop()

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are not HTTP, or a request head that is too long."""
        if self._read_bytes > HEAD_BYTES:
            self._refuse_head()
        else:
            self._refuse(400, "Bad Request", msg)

    def _count(self, *parts: bytes) -> None:
        self._read_bytes += sum(map(len, parts))
        if self._read_bytes > HEAD_BYTES:
            raise _HeadTooLongError  # stops the parser, so that the application does not see the request

    def _refuse_head(self) -> None:
        self._refuse(431, "Request Header Fields Too Large", "The head of the request is too long")

    def _request_timed_out(self) -> None:
        if self.transport.is_closing():
            return
        cycle = self.cycle
        is_answered = cycle is not None and cycle.response_started and not (self._in_head and cycle.response_complete)
        if is_answered:
            self.transport.close()  # the response has started; only the rest of the request is missing
        else:
            self._refuse(408, "Request Timeout", "The request did not arrive in time")

    def _response_timed_out(self) -> None:
        self.transport.abort()

    def _refuse(self, status: int, title: str, detail: str) -> None:
        """Answer without the application, and close the connection."""
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
    """Return a server of ``app`` that is not running yet; ``run`` takes its sockets."""
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
    """Return a listening socket.

    Raises:
        OSError: the address is in use or not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)


def serve(app: ASGIApp, listening: socket.socket) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish the running requests."""
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn raises the signal again at its end, which is not a failure
    gc.collect()
    gc.freeze()  # loaded modules are permanent; collections that scan them would delay all requests
    try:
        server(app).run(sockets=[listening])
    finally:
        gc.unfreeze()


class _HeadTooLongError(Exception):
    """A head has more than ``HEAD_BYTES``."""


class _Timer:
    """Calls a function after a time, unless it is stopped; a second start does not restart it."""

    def __init__(self, seconds: float, callback: Callable[[], None]) -> None:
        self._seconds = seconds
        self._callback = callback
        self._handle: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the timer, unless it runs."""
        if self._handle is None:
            self._handle = loop.call_later(self._seconds, self._fire)

    def stop(self) -> None:
        """Stop the timer."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _fire(self) -> None:
        self._handle = None
        self._callback()
