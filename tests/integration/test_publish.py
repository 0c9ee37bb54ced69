"""Publication of CRITICAL exceptions: from the ledger to an EventHub that fails in every way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import duckdb
import jsonschema
import pytest

from tests.commands import Plura, held
from tests.dbt_runs import PROJECT
from tests.eventhub import TAKEN, TOKEN, Answer, StubHub, deliveries, hub, once, write_outbox
from tests.integration.lines import entry, kst, snapshot
from tests.lakes import Lake

__all__ = ["hub"]

Outcome = TypeVar("Outcome")

SCHEMA = json.loads((PROJECT / "python_jobs/publish/lake_exception.v1.json").read_text(encoding="utf-8"))
D1, D2 = date(2026, 3, 2), date(2026, 3, 3)


@pytest.fixture
def plura(tmp_path: Path, hub: StubHub) -> Plura:
    """The command with a warehouse of its own, which is not there yet, and the hub."""
    return Plura(work=tmp_path, settings={"PLURA_EVENTHUB_URL": hub.url, "PLURA_EVENTHUB_TOKEN": TOKEN})


@pytest.fixture
def naps() -> Iterator[list[float]]:
    """Nobody waits between two tries; the seconds are noted instead."""
    slept: list[float] = []
    clock = mock.Mock(wraps=time)  # of this module only: other threads of the process sleep as they like
    clock.sleep = slept.append
    with mock.patch("python_jobs.publish.publisher.time", clock):
        yield slept


# ---- the command


def test_what_waits_is_delivered_once(plura: Plura, hub: StubHub) -> None:
    ids = write_outbox(plura.warehouse, ["a", "b", "a"])
    outcome = plura("lake", "publish")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == "3 events delivered to the EventHub 127.0.0.1\n"
    assert sorted(hub.taken) == ids
    assert {state for state, _, _ in deliveries(plura.warehouse).values()} == {"delivered"}
    again = plura("lake", "publish")
    assert (again.code, again.out) == (0, "nothing to deliver to the EventHub 127.0.0.1\n")
    assert len(hub.requests) == 3


def test_a_refused_event_is_kept_listed_and_blocks_no_other(plura: Plura, hub: StubHub) -> None:
    ids = write_outbox(plura.warehouse, ["a", "a", "b"])
    hub.answer = once(Answer(status=422, body=b"too_old"))
    for _ in range(2):
        outcome = plura("lake", "publish")
        assert outcome.code == 1
        assert outcome.error == f"event {ids[0]} of exception a was refused: HTTP 422: too_old"
    assert sorted(hub.taken) == ids[1:]
    assert deliveries(plura.warehouse)[ids[0]] == ("refused", 1, "HTTP 422: too_old")
    assert len(hub.requests) == 3
    dismissed = plura("lake", "publish", "--dismiss", ids[0])
    assert (dismissed.code, dismissed.err) == (0, "")
    assert plura("lake", "publish", "--dismiss", ids[0]).error.startswith("no refused event has the id")


def test_of_many_refused_events_some_are_listed_and_the_rest_counted(plura: Plura, hub: StubHub) -> None:
    write_outbox(plura.warehouse, [str(number) for number in range(23)])
    hub.answer = lambda _event, _number: Answer(status=422)
    lines = plura("lake", "publish").err.splitlines()
    assert len(lines) == 21
    assert lines[-1] == "error: 3 events more refused: see gold.event_delivery"


def test_a_refused_event_is_sent_once_more_when_asked(plura: Plura, hub: StubHub) -> None:
    ids = write_outbox(plura.warehouse, ["a"])
    hub.answer = once(Answer(status=400))
    assert plura("lake", "publish").code == 1
    outcome = plura("lake", "publish", "--retry-refused")
    assert outcome.code == 0
    assert outcome.out.splitlines()[0] == "refused before and waiting again: 1 event"
    assert hub.taken == ids
    assert deliveries(plura.warehouse) == {ids[0]: ("delivered", 2, None)}


def test_a_hub_that_is_down_leaves_all_events_waiting(plura: Plura, hub: StubHub, naps: list[float]) -> None:
    ids = write_outbox(plura.warehouse, ["a", "b", "c", "d"])
    hub.answer = lambda _event, _number: Answer(status=503, body=b"maintenance")
    outcome = plura("lake", "publish")
    assert outcome.code == 1
    assert outcome.error == "4 events waiting for the EventHub 127.0.0.1: HTTP 503: maintenance"
    assert len(naps) == 12
    assert deliveries(plura.warehouse) == dict.fromkeys(ids[:3], ("waiting", 5, "HTTP 503: maintenance"))
    hub.answer = lambda _event, _number: TAKEN
    assert plura("lake", "publish").code == 0
    assert hub.taken == [ids[3], *ids[:3]]


@pytest.mark.usefixtures("naps")
def test_a_wrong_token_gives_no_event_up_and_is_never_shown(plura: Plura, hub: StubHub) -> None:
    write_outbox(plura.warehouse, ["a", "b"])
    hub.answer = lambda _event, _number: Answer(status=401, body=f"bad token {TOKEN}".encode())
    outcome = plura("lake", "publish")
    assert outcome.code == 1
    assert "takes no event: HTTP 401: bad token ***" in outcome.error
    assert len(hub.requests) == 1
    hub.answer = lambda _event, _number: Answer(status=500, body=TOKEN.encode())
    outcome = plura("lake", "publish")
    assert TOKEN not in outcome.out + outcome.err
    assert TOKEN not in str(deliveries(plura.warehouse))
    hub.answer = lambda _event, _number: TAKEN
    assert plura("lake", "publish").code == 0


@pytest.mark.parametrize(
    ("settings", "arguments", "said"),
    [
        ({"PLURA_EVENTHUB_URL": ""}, (), "no EventHub is known: name its address with PLURA_EVENTHUB_URL"),
        ({}, ("--to", "kafka"), "no Kafka is known: name its brokers with PLURA_KAFKA_BOOTSTRAP"),
        ({"PLURA_EVENTHUB_URL": "hub"}, (), "PLURA_EVENTHUB_URL must be an address like https://hub.example"),
        ({}, (), "there is no warehouse at"),
    ],
)
def test_what_is_missing_is_one_line(
    plura: Plura, settings: dict[str, str], arguments: tuple[str, ...], said: str
) -> None:
    plura.settings |= settings
    outcome = plura("lake", "publish", *arguments)
    assert outcome.code == 1
    assert outcome.error.startswith(said)
    assert not list(plura.work.iterdir())


def test_a_token_on_an_open_way_is_warned_of(plura: Plura) -> None:
    write_outbox(plura.warehouse, [])
    plura.settings |= {"PLURA_EVENTHUB_URL": "http://hub.example"}
    outcome = plura("lake", "publish")
    assert (outcome.code, outcome.err) == (0, "warning: the token goes to hub.example unencrypted: use https\n")


def test_the_warehouse_is_free_while_events_are_sent_and_waited_for_when_they_are_recorded(
    plura: Plura, hub: StubHub
) -> None:
    """A run starts while the first event is on its way, and is at work when it is confirmed."""
    ids = write_outbox(plura.warehouse, ["a"])
    with held(plura.warehouse, "lock"):
        assert plura("lake", "publish").error.startswith(f"the warehouse {plura.warehouse} is busy with process")
    assert hub.requests == []
    with ExitStack() as run:

        def start_run(_event: dict[str, Any], _number: int) -> Answer:
            run.enter_context(held(plura.warehouse, "lock"))
            return TAKEN

        hub.answer = start_run
        process = plura.start("lake", "publish")
        wait_for(lambda: hub.taken == ids)
        time.sleep(0.3)
        assert process.poll() is None
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert out == "1 event delivered to the EventHub 127.0.0.1\n"
    assert deliveries(plura.warehouse) == {ids[0]: ("delivered", 1, None)}


def test_a_publisher_killed_at_any_point_delivers_every_event_at_most_twice(plura: Plura, hub: StubHub) -> None:
    """Killed with an event taken and not confirmed; then on its way to record; the third goes to the end."""
    exceptions = ["a", "b", "a", "c", "b", "a"]
    ids = write_outbox(plura.warehouse, exceptions)
    victim: list[subprocess.Popen[str]] = []

    def kill_at(fatal: int) -> Callable[[dict[str, Any], int], Answer]:
        def answer(_event: dict[str, Any], number: int) -> Answer:
            if number == fatal:
                os.kill(victim[-1].pid, signal.SIGKILL)
            return TAKEN

        return answer

    hub.answer = kill_at(2)
    victim.append(plura.start("lake", "publish"))
    victim[-1].communicate()
    assert victim[-1].returncode == -signal.SIGKILL
    assert hub.taken == [ids[0], ids[1]]
    assert deliveries(plura.warehouse) == {}
    hub.answer = lambda _event, _number: TAKEN
    assert plura("lake", "publish").code == 0
    assert set(hub.taken) == set(ids)
    assert max(Counter(hub.taken).values()) == 2
    for exception in set(exceptions):
        came = [event_id for event_id in hub.taken if exceptions[ids.index(event_id)] == exception]
        assert came == sorted(came)


def test_a_follower_delivers_what_comes_and_opens_the_warehouse_only_after_a_change(plura: Plura, hub: StubHub) -> None:
    first = write_outbox(plura.warehouse, ["a"])
    process = plura.start("lake", "publish", "--follow", "--every", "0.1")
    try:
        wait_for(lambda: hub.taken == first)
        wait_for(lambda: first[0] in deliveries(plura.warehouse))
        second = wait_for(lambda: write_outbox(plura.warehouse, ["a", "b"], first=2))
        # whoever reads the warehouse may keep the publisher from recording; then an event is sent once more
        wait_for(lambda: list(dict.fromkeys(hub.taken)) == first + second)
        wait_for(lambda: stays(plura.warehouse.with_name("plura.duckdb.lock")))
        assert plura("lake", "publish").error.startswith("another plura lake publish is at work")
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=90)
    assert process.returncode == 130
    assert sum(int(line.split()[0]) for line in out.splitlines()) == 3
    assert err.endswith("error: interrupted: nothing is half-written, the next run continues from what was finished\n")


def stays(file: Path) -> bool:
    """Whether nobody touches a file for half a second, in which a follower looks five times."""
    before = file.stat().st_mtime_ns
    time.sleep(0.5)
    return file.stat().st_mtime_ns == before


def wait_for(condition: Callable[[], Outcome]) -> Outcome:
    """Wait until it holds, and return what it gives; the warehouse may be in use while it is asked."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            if outcome := condition():
                return outcome
        except duckdb.Error:
            pass
        time.sleep(0.3)  # the publisher cannot record while the warehouse is read
    raise AssertionError("did not come to pass within 90 s")


# ---- the outbox


def money(balance_of_bob: int) -> dict[str, list[Any]]:
    """Alice pays Bob 10 on the first day; his balance tells whether it arrived. No sign of the treasury's money."""
    return {
        "user_wallets": [
            *[snapshot("alice-0001", amount, kst(day, "00:00:00")) for day, amount in ((D1, 100), (D2, 90))],
            snapshot("bob-0002", 0, kst(D1, "00:00:00")),
            snapshot("bob-0002", balance_of_bob, kst(D2, "00:00:00")),
        ],
        "transaction_ledger": [
            entry("pay", "alice-0001", "PAYMENT", 10, kst(D1, "12:00:00"), "po_1"),
            entry("receive", "bob-0002", "RECEIVE", 10, kst(D1, "12:00:00"), "po_1"),
        ],
        "payment_orders": [],
    }


def told(lake: Lake) -> list[tuple[Any, ...]]:
    """Events of drifts in the order they are delivered: transition, revision, value."""
    rows = lake.sql(
        "select transition, revision, json_extract_string(event, '$.payload.metric_value')"
        " from gold.event_outbox where event like '%RECON_DRIFT_HIGH%' order by sequence"
    )
    return [(transition, revision, float(value)) for transition, revision, value in rows]


def corrected(lake: Lake, balance: int, hour: int) -> None:
    """A later extract of Bob's balance on the second day arrives, and the lake runs."""
    line = snapshot("bob-0002", balance, kst(D2, "00:00:00")) | {"updated_at": kst(D2, f"{hour:02}:00:00")}
    lake.now += timedelta(hours=1)
    lake.load({"user_wallets": [line]})
    lake.run_clean(pipelines=["silver", "controls"])


def test_the_life_of_an_exception_is_published_state_by_state(lake: Lake) -> None:
    """Opened, changed, resolved, reopened; reruns, also of the very same day, add nothing."""
    lake.now = datetime(2026, 3, 5, tzinfo=UTC)
    lake.load(money(3))
    lake.run_clean()
    assert told(lake) == [("opened", 1, 7.0)]
    everything = lake.sql("select * from gold.event_outbox order by sequence")
    lake.checks = False
    lake.run_clean(D1, pipelines=["guardrail", "controls"])
    assert lake.sql("select * from gold.event_outbox order by sequence") == everything
    story = [("opened", 1, 7.0)]
    for balance, hour, following in (
        (5, 1, ("changed", 2, 5.0)),
        (10, 2, ("resolved", 3, 5.0)),
        (5, 3, ("reopened", 4, 5.0)),
    ):
        corrected(lake, balance, hour)
        story.append(following)
        assert told(lake) == story
    events = [json.loads(text) for (text,) in lake.sql("select event from gold.event_outbox order by sequence")]
    for event in events:
        jsonschema.validate(event, SCHEMA)
    drifts = [event for event in events if event["payload"]["labels"]["alertname"] == "RECON_DRIFT_HIGH"]
    assert len({json.dumps(drift["payload"]["labels"]) for drift in drifts}) == 1
    assert [drift["severity"] for drift in drifts] == ["critical", "critical", "info", "critical"]
    starts = [drift["payload"]["starts_at"] for drift in drifts]
    assert starts[0] == starts[1] == starts[2] < starts[3] == drifts[3]["ts"]
    assert_no_wallet_is_named(lake)


def assert_no_wallet_is_named(lake: Lake) -> None:
    """Neither in clear nor as a hash that a list of wallets would open."""
    texts = [text for (text,) in lake.sql("select event from gold.event_outbox")]
    subjects = lake.sql("select exception_id, subject, sha256(subject) from gold.exception_ledger")
    assert any(subject for _, subject, _ in subjects)
    for text in texts:
        for clear in (name for row in subjects for name in row if name):
            assert clear not in text
    ours = lake.sql(
        "select subject_key = sha256(subject || 'local-salt-v1'),"
        " exception_key = sha256(exception_id || 'local-salt-v1')"
        " from gold.event_outbox inner join gold.exception_ledger using (exception_id) where subject is not null"
    )
    assert set(ours) == {(True, True)}


def test_the_next_run_publishes_what_a_killed_run_did_not_and_each_pipeline_its_own(lake: Lake) -> None:
    """The guardrail's alarms are told although Silver's gate stops everything after it."""
    lake.now = datetime(2026, 3, 5, tzinfo=UTC)
    lines = money(3)
    lines["transaction_ledger"] += [entry(f"bad{n}", "x", "NO_SUCH_TYPE", 1, kst(D1, "13:00:00")) for n in range(9)]
    lake.load(lines)
    result = lake.run()
    assert any("bad-rate gate" in problem for problem in result.problems)
    domains = "select distinct json_extract_string(event, '$.payload.labels.domain') from gold.event_outbox"
    assert lake.sql(domains) == [("dq",)]
    missing = (
        "select count(*) from gold.exception_ledger as ledger where severity = 'CRITICAL'"
        " and not exists (select 1 from gold.event_outbox as outbox where outbox.exception_id = ledger.exception_id)"
    )
    assert lake.sql(missing) == [(0,)]
    lake.sql("delete from gold.event_outbox")
    lake.now += timedelta(hours=1)
    lake.run(pipelines=["guardrail"])
    assert lake.sql(domains) == [("dq",)]
    assert lake.sql(missing) == [(0,)]


def test_events_of_a_lake_reach_the_hub_and_fit_the_schema(lake: Lake, hub: StubHub) -> None:
    lake.now = datetime(2026, 3, 5, tzinfo=UTC)
    lake.checks = False
    lake.load(money(3))
    lake.run_clean()
    plura = Plura(work=lake.work, settings={"PLURA_EVENTHUB_URL": hub.url})
    assert plura("lake", "publish").code == 0
    assert len(hub.taken) == lake.sql("select count(*) from gold.event_outbox")[0][0] > 1
    for body, _, _ in hub.requests:
        jsonschema.validate(body, SCHEMA)
    lake.run_clean(D1, D2, pipelines=["controls"])
    assert {state for state, _, _ in deliveries(lake.warehouse).values()} == {"delivered"}
