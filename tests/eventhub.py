"""An EventHub that behaves as badly as a test wants, on loopback, and warehouses with events for it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import yaml

from python_jobs.publish import OutboxEvent
from tests.dbt_runs import PROJECT

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the hub does with a request: it takes the event where the status says so, and then answers, or does not.

    ``how``: ``whole`` answers, ``closes`` closes the connection afterwards unannounced, ``silent`` closes it
    unanswered, ``half`` closes it within the answer, ``never`` says nothing until the test is over, ``trickle`` sends
    a byte now and then.
    """

    status: int = 202
    how: str = "whole"
    body: bytes = b'{"seq":1}'
    headers: dict[str, str] = field(default_factory=dict)


TAKEN = Answer()
TOKEN = "s3cr3t-t0ken"
"""Of the publisher."""


def once(answer: Answer) -> Callable[[dict[str, Any], int], Answer]:
    """The first request gets this answer; all others are taken."""
    return lambda _event, number: answer if number == 1 else TAKEN


@dataclass(kw_only=True)
class StubHub:
    """What the hub saw: each request as its event, path and headers; ``taken`` are ids in the order they were taken."""

    answer: Callable[[dict[str, Any], int], Answer] = lambda _event, _number: TAKEN
    requests: list[tuple[dict[str, Any], str, dict[str, str]]] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    connections: int = 0
    url: str = ""
    over: threading.Event = field(default_factory=threading.Event)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    hub: StubHub

    def handle_error(self, *_: object) -> None:
        return  # a publisher that was killed, or gave up waiting


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms for an acknowledgement
    server: _Server

    def setup(self) -> None:
        self.server.hub.connections += 1
        super().setup()

    def do_POST(self) -> None:
        hub = self.server.hub
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        hub.requests.append((event, self.path, dict(self.headers)))
        answer = hub.answer(event, len(hub.requests))
        if answer.status in {200, 202}:
            hub.taken.append(event["event_id"])
        self.close_connection = answer.how != "whole"
        if answer.how == "never":
            hub.over.wait()
        elif answer.how != "silent":
            self._say(answer)

    def _say(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in ({"Content-Length": str(len(answer.body))} | answer.headers).items():
            self.send_header(name, value)
        self.end_headers()
        if answer.how == "trickle":
            for byte in answer.body:
                self.wfile.write(bytes([byte]))
                if self.server.hub.over.wait(0.1):
                    return
        else:
            self.wfile.write(answer.body[:3] if answer.how == "half" else answer.body)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def stub_hub(answer: Callable[[dict[str, Any], int], Answer] | None = None) -> Iterator[StubHub]:
    """Run a hub; ``answer`` is asked with each event and the number of its request, counted from 1."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.hub = hub = StubHub(url=f"http://127.0.0.1:{server.server_address[1]}")
        hub.answer = answer or hub.answer
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            hub.over.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def hub() -> Iterator[StubHub]:
    """A hub that takes everything, unless a test gives it another answer."""
    with stub_hub() as running:
        yield running


def event(number: int, exception: str) -> OutboxEvent:
    """The event of a sequence number."""
    event_id = f"{number:064x}"
    return OutboxEvent(
        event_id=event_id,
        exception_key=f"key of {exception}",
        body=json.dumps({"event_id": event_id, "payload": {"exception": exception}}),
    )


def write_outbox(warehouse: Path, exceptions: Sequence[str], *, first: int = 1) -> list[str]:
    """Write an event for each exception named, in this order, into tables made by their contract; returns the ids."""
    rows = _outbox_rows(exceptions, first)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema if not exists gold")
        for name, columns in _tables():
            connection.execute(f"create table if not exists gold.{name} ({columns})")
        for row in rows:
            connection.execute(f"insert into gold.event_outbox ({_FILLED}) values ($1, $2, $3, $4, $5)", row)
    return [row[0] for row in rows]


def write_outbox_on_spark(session: SparkSession, exceptions: Sequence[str], *, first: int = 1) -> list[str]:
    """Do the same in the catalog of a Spark session; with the first event, what was there before is gone."""
    from dbt.adapters.sparksession.session import literal  # imports dbt, which takes a second

    rows = _outbox_rows(exceptions, first)
    session.sql("create schema if not exists gold")
    for name, columns in _tables():
        session.sql(f"create table if not exists gold.{name} ({columns}) using delta")
        if first == 1:
            session.sql(f"delete from gold.{name}")
    values = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
    session.sql(f"insert into gold.event_outbox ({_FILLED}) values {values}")
    return [row[0] for row in rows]


_FILLED = "event_id, sequence, exception_id, exception_key, event"


def _outbox_rows(exceptions: Sequence[str], first: int) -> list[tuple[str, int, str, str, str]]:
    events = [(event(number, exception), number, exception) for number, exception in enumerate(exceptions, first)]
    return [(sent.event_id, number, exception, sent.exception_key, sent.body) for sent, number, exception in events]


def _tables() -> list[tuple[str, str]]:
    """Names and columns of the tables of the outbox."""
    contract = yaml.safe_load((PROJECT / "models/state/_state__models.yml").read_text(encoding="utf-8"))
    return [
        (model["name"], ", ".join(f"{column['name']} {column['data_type']}" for column in model["columns"]))
        for model in contract["models"]
        if model["name"].startswith("event_")
    ]


def deliveries(warehouse: Path) -> dict[str, tuple[str, int, str | None]]:
    """State, attempts and last error of each event that was tried."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = connection.execute("select event_id, state, attempts, last_error from gold.event_delivery").fetchall()
    return {row[0]: (row[1], row[2], row[3]) for row in rows}
