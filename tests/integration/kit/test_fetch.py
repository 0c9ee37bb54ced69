"""Requests to other servers end in time, whatever the other side does, and leave nothing behind."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from plura.kit import fetch as fetching
from plura.kit.fetch import FetchError, fetch, post

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
DRIPPING = {
    "a body": (HEAD, b"x"),
    "a body in chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "a body without an end": (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
    "a head": (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
    "a line of the head": (b"HTTP/1.1 200 OK\r\nx: ", b"y"),
    "a status line": (b"", b"H"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "nothing": (b"", b""),
}


@contextmanager
def dripping(start: bytes, drop: bytes) -> Iterator[str]:
    """Serve answers that never end: some bytes now and then."""
    stopping = threading.Event()
    threads: list[threading.Thread] = []

    def drip(connection: socket.socket) -> None:
        with connection:
            try:
                connection.sendall(start)
                while not stopping.wait(0.05):
                    connection.sendall(drop)
            except OSError:
                return

    def accept() -> None:
        while True:
            connection, _ = listening.accept()
            if stopping.is_set():
                connection.close()
                return
            threads.append(threading.Thread(target=drip, args=(connection,)))
            threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            stopping.set()
            socket.create_connection(("127.0.0.1", port)).close()
            for thread in (acceptor, *threads):
                thread.join()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("kind", DRIPPING)
def test_a_server_that_drips_is_left_in_time_and_holds_no_thread(
    scheme: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "TIMEOUT_SECONDS", 0.3)
    before = threading.active_count()

    async def ask(url: str, times: int) -> Sequence[object]:
        found = await asyncio.gather(*(fetch(url) for _ in range(times)), return_exceptions=True)
        # names of hosts are looked up by the same threads: a database could not be reached any more
        await asyncio.wait_for(asyncio.get_running_loop().getaddrinfo("localhost", 80), 2)
        return found

    with dripping(*DRIPPING[kind]) as host:
        started = time.monotonic()
        outcomes = asyncio.run(ask(f"{scheme}://{host}/", 8))
        assert time.monotonic() - started < 5
        assert [type(outcome) for outcome in outcomes] == [FetchError] * 8
        with pytest.raises(FetchError):
            post(f"{scheme}://{host}/", b"", {})
        assert time.monotonic() - started < 7
    assert threading.active_count() <= before
