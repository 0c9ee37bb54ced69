"""A light load of HTTP/1.1 GET requests: a few kept connections in one thread, no library, a minimal reader of answers.

It shares the cores with what it measures, so it spends as little as it can on a request.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil

_CHUNK = 1 << 16
_PATIENCE_SECONDS = 30


class UnexpectedAnswerError(Exception):
    """The server answered something else than what the load asks for, or not at all."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What a load met: requests, seconds of wall time and of our own processor time, seconds of each request."""

    requests: int
    wall_s: float
    cpu_s: float
    latencies: list[float] = field(repr=False)

    @property
    def per_second(self) -> float:
        """Requests answered in a second."""
        return self.requests / self.wall_s

    def percentile(self, share: float) -> float:
        """Seconds within which a share of the requests was answered."""
        return percentile(self.latencies, share)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that a share of the values does not exceed."""
    return sorted(values)[max(0, ceil(len(values) * share) - 1)]


class Connection:
    """A kept connection; one request at a time."""

    def __init__(self, port: int, headers: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = f" HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n".encode()
        self._got = b""

    def send(self, path: str) -> None:
        """Send a request."""
        self.socket.sendall(b"GET " + path.encode() + self._head)

    def receive(self) -> tuple[int, bytes] | None:
        """Take what has arrived; return status and body once the answer is complete.

        Raises:
            UnexpectedAnswerError: the connection was closed.
        """
        arrived = self.socket.recv(_CHUNK)
        if not arrived:
            raise UnexpectedAnswerError("the server closed the connection")
        self._got += arrived
        head_end = self._got.find(b"\r\n\r\n")
        if head_end < 0:
            return None
        head = self._got[:head_end].lower()
        _, _, after = head.partition(b"content-length:")
        length = int(after.partition(b"\r\n")[0])
        if len(self._got) < head_end + 4 + length:
            return None
        body, self._got = self._got[head_end + 4 :], b""
        return int(head[9:12]), body

    def get(self, path: str) -> tuple[int, bytes]:
        """Ask and wait for the answer."""
        self.send(path)
        while (answer := self.receive()) is None:
            pass
        return answer


class _Load:
    """Connections that ask again as soon as they are answered."""

    def __init__(self, paths: Iterator[tuple[str, bytes]], connections: Iterable[Connection]) -> None:
        self._paths = paths
        self._connections = {connection.socket.fileno(): connection for connection in connections}
        self._expected: dict[int, bytes] = {}
        self._sent_at: dict[int, float] = {}
        self.latencies: list[float] = []

    def run(self, seconds: float) -> None:
        poll = select.epoll()
        deadline = time.perf_counter() + seconds
        for number in self._connections:
            poll.register(number, select.EPOLLIN)
            self._ask(number)
        waiting = len(self._connections)
        while waiting:
            ready = poll.poll(_PATIENCE_SECONDS)
            if not ready:
                raise UnexpectedAnswerError(f"no answer for {_PATIENCE_SECONDS} s")
            for number, _ in ready:
                if self._is_answered(number):
                    if time.perf_counter() < deadline:
                        self._ask(number)
                    else:
                        waiting -= 1
        poll.close()

    def _ask(self, number: int) -> None:
        path, self._expected[number] = next(self._paths)
        self._sent_at[number] = time.perf_counter()
        self._connections[number].send(path)

    def _is_answered(self, number: int) -> bool:
        answer = self._connections[number].receive()
        if answer is None:
            return False
        self.latencies.append(time.perf_counter() - self._sent_at[number])
        status, body = answer
        if status != 200 or self._expected[number] not in body:  # noqa: PLR2004  # OK
            raise UnexpectedAnswerError(f"{status} {body[:300]!r} instead of {self._expected[number]!r}")
        return True


def load(port: int, headers: str, paths: Iterator[tuple[str, bytes]], *, connections: int, seconds: float) -> Loaded:
    """Keep so many requests at work for a while.

    ``paths`` gives each path with bytes that its answer has to hold.

    Raises:
        UnexpectedAnswerError: an answer is not 200, does not hold its bytes, or does not come.
    """
    kept = [Connection(port, headers) for _ in range(connections)]
    try:
        load = _Load(paths, kept)
        started, cpu_before = time.perf_counter(), time.process_time()
        load.run(seconds)
        wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu_before
    finally:
        for connection in kept:
            connection.socket.close()
    return Loaded(requests=len(load.latencies), wall_s=wall_s, cpu_s=cpu_s, latencies=load.latencies)
