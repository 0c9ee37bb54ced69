"""The load of the benchmark counts what it was answered, and refuses other answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import Any

import pytest

from bench.http_load import UnexpectedAnswerError, load, percentile


@pytest.fixture
def port() -> Iterator[int]:
    """A server that answers with the path, in two pieces; /missing is 404."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(404 if self.path == "/missing" else 200)
            self.send_header("X-Token", self.headers["X-Token"])
            self.send_header("Content-Length", str(len(self.path) + 1))
            self.end_headers()
            self.wfile.write(self.path[:1].encode())
            self.wfile.flush()
            self.wfile.write(self.path[1:].encode() + b"\n")

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            pass  # the load hangs up on an answer that it does not want

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_requests_are_counted_and_timed(port: int) -> None:
    asked: list[str] = []

    def paths() -> Iterator[tuple[str, bytes]]:
        for number in cycle(range(5)):
            asked.append(f"/{number}")
            yield asked[-1], asked[-1].encode()

    loaded = load(port, "X-Token: t\r\n", paths(), connections=3, seconds=0.2)
    assert loaded.requests == len(asked) == len(loaded.latencies) > 3
    assert loaded.wall_s >= 0.2
    assert 0 < loaded.percentile(0.5) <= loaded.percentile(0.99) <= max(loaded.latencies)


@pytest.mark.parametrize("wrong", [("/missing", b"/missing"), ("/1", b"/2")])
def test_another_answer_ends_the_load(port: int, wrong: tuple[str, bytes]) -> None:
    with pytest.raises(UnexpectedAnswerError):
        load(port, "X-Token: t\r\n", cycle([wrong]), connections=2, seconds=5)


def test_percentiles_are_values() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert [percentile(values, share) for share in (0.5, 0.95, 0.99)] == [50.0, 95.0, 99.0]
