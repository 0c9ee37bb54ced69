"""The publisher with the twins of outbox and hub: what is sent when, and what is kept of it. No sockets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from python_jobs.publish import (
    HttpHub,
    HubUnavailableError,
    MemoryHub,
    MemoryOutbox,
    Outbox,
    OutboxEvent,
    Publisher,
    PublisherRejectedError,
    RetryPolicy,
    sole_publisher,
)
from python_jobs.publish.events import EventRefusedError, State
from python_jobs.warehouse import LakeError, warehouse_lock
from tests.eventhub import event, write_outbox

NOW = datetime(2026, 3, 10, 1, 2, 3, 4, tzinfo=UTC)


class MoodyHub(MemoryHub):
    """Raises what ``moods`` hold for an event, the first one first, and takes it when they are used up."""

    def __init__(self, moods: dict[str, list[Exception]]) -> None:
        super().__init__()
        self.moods = moods
        self.asked: list[str] = []

    def send(self, event: OutboxEvent) -> None:
        self.asked.append(event.event_id)
        if self.moods.get(event.event_id):
            raise self.moods[event.event_id].pop(0)
        super().send(event)


def of(number: int) -> str:
    return f"{number:064x}"


def down(count: int = 1, retry_after: float | None = None) -> list[Exception]:
    return [HubUnavailableError("HTTP 503", retry_after=retry_after) for _ in range(count)]


def memory_outbox(exceptions: Sequence[str]) -> MemoryOutbox:
    outbox = MemoryOutbox()
    for place, exception in enumerate(exceptions):
        outbox.add(event(place + 1, exception), exception_id=exception)
    return outbox


def ids(events: Sequence[OutboxEvent]) -> list[str]:
    return [event.event_id for event in events]


def publisher(outbox: Outbox, hub: MemoryHub, slept: list[float] | None = None, **options: object) -> Publisher:
    waits = slept if slept is not None else []
    made = Publisher(outbox=outbox, hub=hub, clock=lambda: NOW, sleep=waits.append, chance=lambda: 1.0)
    for name, value in options.items():
        setattr(made, name, value)
    return made


def test_two_publishers_of_one_warehouse_are_distinguished_and_leave_it_to_the_runs(tmp_path: Path) -> None:
    warehouse = tmp_path / "plura.duckdb"
    write_outbox(warehouse, ["a"])
    with sole_publisher(warehouse):
        with pytest.raises(LakeError, match="another plura lake publish is at work"), sole_publisher(warehouse):
            pass
        with warehouse_lock(warehouse):
            pass
    with sole_publisher(warehouse):
        pass


def test_waits_double_to_a_limit_and_are_shortened_by_chance() -> None:
    slept: list[float] = []
    made = publisher(memory_outbox(["a"]), MoodyHub({of(1): down(4)}), slept)
    made.retry_policy = RetryPolicy(tries=5, first=1, longest=3)
    assert made.publish().delivered == 1
    assert slept == [1, 2, 3, 3]
    made = publisher(memory_outbox(["a"]), MoodyHub({of(1): down(1)}), slept, chance=lambda: 0.0)
    assert made.publish().delivered == 1
    assert slept[-1] == 0.25


def test_a_hub_that_names_a_time_is_not_asked_before() -> None:
    slept: list[float] = []
    assert publisher(memory_outbox(["a"]), MoodyHub({of(1): down(1, retry_after=7)}), slept).publish().delivered == 1
    assert slept == [7]
    hub = MoodyHub({of(1): down(1, retry_after=31)})
    report = publisher(memory_outbox(["a", "b"]), hub, slept).publish()
    assert (report.is_stopped, report.retry_after, report.failed, report.delivered) == (True, 31, 1, 0)
    assert hub.asked == [of(1)]
    assert slept == [7]


def test_one_event_that_cannot_be_delivered_keeps_no_other_exception_waiting() -> None:
    outbox = memory_outbox(["a", "a", "b"])
    hub = MoodyHub({of(1): down(99)})
    report = publisher(outbox, hub).publish()
    assert (report.failed, report.delivered, report.is_stopped, report.is_complete) == (1, 1, False, False)
    assert report.last_error == "HTTP 503"
    assert hub.asked == [of(1)] * 5 + [of(3)]
    assert outbox.counts().waiting == 2


def test_three_events_in_a_row_that_fail_end_the_pass() -> None:
    exceptions = ["a", "b", "c", "d"]
    hub = MoodyHub({of(number): down(99) for number in range(1, 5)})
    report = publisher(memory_outbox(exceptions), hub).publish()
    assert (report.failed, report.is_stopped) == (3, True)
    assert of(4) not in hub.asked
    between = MoodyHub({of(number): down(99) for number in (1, 2, 4)})
    report = publisher(memory_outbox(exceptions), between).publish()
    assert (report.failed, report.delivered, report.is_stopped) == (3, 1, False)


def test_a_refused_event_is_sent_once_and_blocks_nothing() -> None:
    outbox = memory_outbox(["a", "a", "b"])
    hub = MoodyHub({of(1): [EventRefusedError("HTTP 422: too_old")]})
    report = publisher(outbox, hub).publish()
    assert (report.refused, report.delivered, report.is_complete) == (1, 2, False)
    assert report.last_refusal == "HTTP 422: too_old"
    assert sorted(hub.asked) == [of(1), of(2), of(3)]
    assert publisher(outbox, hub).publish().is_complete
    assert len(hub.asked) == 3


def test_a_hub_that_takes_nothing_ends_the_pass_and_gives_no_event_up() -> None:
    outbox = memory_outbox(["a", "b", "c"])
    hub = MoodyHub({of(2): [PublisherRejectedError("HTTP 401")]})
    with pytest.raises(PublisherRejectedError):
        publisher(outbox, hub).publish()
    assert hub.asked == [of(1), of(2)]
    counts = outbox.counts()
    assert (counts.waiting, counts.refused) == (2, 0)
    assert [(row.attempts, row.last_error) for row in outbox.rows] == [(1, None), (1, "HTTP 401"), (0, None)]


def test_an_interrupted_pass_records_what_was_delivered() -> None:
    class Interrupted(MemoryHub):
        def send(self, event: OutboxEvent) -> None:
            if event.event_id == of(2):
                raise KeyboardInterrupt
            super().send(event)

    outbox = memory_outbox(["a", "b"])
    with pytest.raises(KeyboardInterrupt):
        publisher(outbox, Interrupted()).publish()
    assert [row.state for row in outbox.rows] == [State.DELIVERED, None]


def test_a_clock_that_is_set_back_makes_no_pass_endless() -> None:
    clock = iter([NOW, *[NOW - timedelta(hours=1)] * 99])
    hub = MoodyHub({of(1): down(99)})
    publisher(memory_outbox(["a"]), hub, clock=lambda: next(clock)).publish()
    assert hub.asked == [of(1)] * 5


@pytest.mark.parametrize(
    ("url", "token", "said"),
    [
        ("hub.example", None, "must be an address"),
        ("ftp://hub.example", None, "must be an address"),
        ("https://", None, "must be an address"),
        ("https://me:secret@hub.example", None, "must hold no password"),
        ("https://hub.example:port", None, "a port that cannot be"),
        ("https://hub.example", "sec\nret", "characters that no token has"),
        ("https://hub.example", "sec ret", "characters that no token has"),
        ("https://hub.example", "비밀secret", "characters that no token has"),
    ],
)
def test_invalid_settings_are_reported_without_the_secret(url: str, token: str | None, said: str) -> None:
    with pytest.raises(PublisherRejectedError, match=said) as told:
        HttpHub(url, token)
    assert "secret" not in str(told.value)
    assert "sec" not in str(told.value)


def test_a_token_over_an_open_way_is_known() -> None:
    private = {"https://hub.example": True, "http://127.0.0.1:8": True, "http://hub.example": False}
    assert {url: HttpHub(url).is_private for url in private} == private
