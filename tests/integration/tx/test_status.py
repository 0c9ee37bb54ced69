"""The small HTTP server beside the consumer, on a port of loopback."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Gauge

from plura.kit.observability.status import StatusServer


@pytest.fixture
def connection() -> Iterator[http.client.HTTPConnection]:
    registry = CollectorRegistry()
    Gauge("anything", "A metric.", registry=registry)
    server = StatusServer(
        "127.0.0.1", 0, registry=registry, lives=lambda: {"loop": True}, ready=lambda: {"broker": False}
    )
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    yield connection
    connection.close()
    server.close()


@pytest.mark.parametrize(("path", "code"), [("/healthz", 200), ("/readyz", 503), ("/metrics", 200), ("/other", 404)])
def test_head_is_answered_like_get_without_a_body(connection: http.client.HTTPConnection, path: str, code: int) -> None:
    answers = []
    for method in ("GET", "HEAD"):
        connection.request(method, path)
        answer = connection.getresponse()
        answers.append((answer.status, answer.headers["Content-Type"], answer.headers["Content-Length"], answer.read()))
    got, head = answers
    assert got[0] == head[0] == code
    assert head[1:3] == got[1:3]
    assert got[3]
    assert head[3] == b""
