"""One event over HTTP: what is sent, what each answer means, and hubs that fail in every way."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from python_jobs.publish import HttpHub, HubUnavailableError, PublisherRejectedError
from python_jobs.publish.events import EventRefusedError
from tests.eventhub import TAKEN, TOKEN, Answer, StubHub, event, hub, once

__all__ = ["hub"]


def sender(hub: StubHub, timeout: float = 5.0) -> HttpHub:
    return HttpHub(hub.url, TOKEN, timeout=timeout)


def test_an_event_is_posted_unchanged_with_token_and_id(hub: StubHub) -> None:
    sender(hub).send(event(1, "a"))
    ((body, path, headers),) = hub.requests
    assert body == json.loads(event(1, "a").body)
    assert path == "/v1/eventhub/publish"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Idempotency-Key"] == event(1, "a").event_id
    assert headers["Content-Type"] == "application/json"
    HttpHub(f"{hub.url}/other/path?a=b").send(event(2, "a"))
    assert hub.requests[-1][1] == "/other/path?a=b"
    assert "Authorization" not in hub.requests[-1][2]


def test_one_connection_serves_many_events_and_is_opened_anew_when_the_hub_closed_it(hub: StubHub) -> None:
    ours = sender(hub)
    for number in range(5):
        ours.send(event(number, "a"))
    assert hub.connections == 1
    # closed after an answer that did not announce it
    hub.answer = lambda _event, number: Answer(how="closes") if number == 6 else TAKEN
    ours.send(event(5, "a"))
    ours.send(event(6, "a"))
    assert hub.connections == 2
    assert len(hub.taken) == 7


@pytest.mark.parametrize("status", [200, 202])
def test_a_repeated_event_counts_as_delivered(hub: StubHub, status: int) -> None:
    hub.answer = lambda _event, _number: Answer(status=status, body=b'{"duplicate":true}')
    sender(hub).send(event(1, "a"))


@pytest.mark.parametrize("status", [400, 409, 410, 413, 422])
def test_an_answer_about_the_event_refuses_it_with_the_reason_of_the_hub(hub: StubHub, status: int) -> None:
    hub.answer = once(Answer(status=status, body=f"too\n\x1b[31mold {TOKEN} {'x' * 999}".encode()))
    with pytest.raises(EventRefusedError) as told:
        sender(hub).send(event(1, "a"))
    text = str(told.value)
    assert text.startswith(f"HTTP {status}: too [31mold *** xxx")
    assert len(text) < 320
    assert text.isprintable()


@pytest.mark.parametrize("status", [301, 302, 307, 401, 403, 404, 405])
def test_an_answer_about_the_publisher_refuses_no_event(hub: StubHub, status: int) -> None:
    hub.answer = once(Answer(status=status, headers={"Location": "/elsewhere"}))
    with pytest.raises(PublisherRejectedError, match=f"HTTP {status}.*check PLURA_EVENTHUB_URL"):
        sender(hub).send(event(1, "a"))
    assert len(hub.requests) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_an_answer_that_may_change_leaves_the_event_waiting(hub: StubHub, status: int) -> None:
    hub.answer = once(Answer(status=status, headers={"Retry-After": "7"}))
    ours = sender(hub)
    with pytest.raises(HubUnavailableError, match=f"HTTP {status}") as told:
        ours.send(event(1, "a"))
    assert told.value.retry_after == 7
    ours.send(event(1, "a"))


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        (lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True), 80, 90),
        (lambda: format_datetime(datetime.now(UTC) - timedelta(seconds=90), usegmt=True), 0, 0),
        (lambda: "Fri, 31 Dec 9999 23:59:59 GMT", 3600, 3600),
        (lambda: "9" * 400, 3600, 3600),
        (lambda: "soon", None, None),
        (lambda: "-5", None, None),
    ],
)
def test_retry_after_may_be_an_instant(
    hub: StubHub, header: Callable[[], str], least: float | None, most: float | None
) -> None:
    hub.answer = once(Answer(status=429, headers={"Retry-After": header()}))
    with pytest.raises(HubUnavailableError) as told:
        sender(hub).send(event(1, "a"))
    if least is None or most is None:
        assert told.value.retry_after is None
    else:
        assert told.value.retry_after is not None
        assert least <= told.value.retry_after <= most


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("silent", "no answer from 127.0.0.1: RemoteDisconnected"),
        ("half", "the answer of 127.0.0.1 broke off"),
        ("never", r"no answer from 127.0.0.1 within 0.3 s"),
        ("trickle", r"within 0.3 s|broke off"),
    ],
)
def test_an_event_that_was_not_confirmed_as_a_whole_is_sent_again(hub: StubHub, how: str, said: str) -> None:
    hub.answer = once(Answer(how=how, body=b'{"seq": 1, "recorded_at": ""}'))
    ours = sender(hub, timeout=0.3)
    started = time.monotonic()
    with pytest.raises(HubUnavailableError, match=said):
        ours.send(event(1, "a"))
    assert time.monotonic() - started < 2
    ours.send(event(1, "a"))
    assert hub.taken == [event(1, "a").event_id] * 2


def test_an_exchange_that_found_no_connection_in_time_is_over(hub: StubHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """There was nothing to cut when its time was up, and then the hub trickles."""

    def slowly(*arguments: Any, **options: Any) -> socket.socket:
        time.sleep(0.4)
        return connect(*arguments, **options)

    connect = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", slowly)
    hub.answer = once(Answer(how="trickle", body=b"1" * 100))
    started = time.monotonic()
    with pytest.raises(HubUnavailableError, match=r"within 0.2 s"):
        sender(hub, timeout=0.2).send(event(1, "a"))
    assert time.monotonic() - started < 2


def test_a_missing_hub_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(HubUnavailableError, match=r"no answer from 127\.0\.0\.1: Connection refused"):
        HttpHub(f"http://127.0.0.1:{port}").send(event(1, "a"))
