"""What every outbox does: the twin in memory, DuckDB, and Delta Lake in a real Spark session."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from python_jobs.publish import DuckDBOutbox, MemoryHub, MemoryOutbox, Outbox, OutboxEvent, Publisher, SparkOutbox
from python_jobs.publish.events import Attempt, State
from python_jobs.report import DuckDBReader, SparkReader
from python_jobs.warehouse import LakeError, open_duckdb
from tests.eventhub import event, write_outbox, write_outbox_on_spark

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NOW = datetime(2026, 3, 10, 1, 2, 3, 4, tzinfo=UTC)
LATER = NOW + timedelta(microseconds=1)
STRANGE = "it's \\ ${env:PATH} $given 비밀"
"""An answer of a hub that is no text literal, no variable and no parameter."""


@dataclass(frozen=True, kw_only=True)
class Warehouse:
    """An outbox of some kind: ``write`` adds an event for each exception named, ``read`` runs a query on its tables."""

    outbox: Outbox
    write: Callable[..., object]
    read: Callable[[str], list[dict[str, Any]]] = lambda _sql: []


@pytest.fixture(scope="module")
def spark_without_gold(spark_session: SparkSession) -> Iterator[SparkSession]:
    """The session, without a table in Gold."""
    spark_session.sql("drop schema if exists gold cascade")
    yield spark_session
    spark_session.sql("drop schema if exists gold cascade")


@pytest.fixture(params=["twin", "duckdb", "spark"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    """An outbox of each kind, without an event, and without tables unless an earlier test made them."""
    kinds = {"twin": _in_memory, "duckdb": _in_duckdb, "spark": _in_spark}
    return kinds[request.param](request, tmp_path / "plura.duckdb")


def _in_memory(_request: pytest.FixtureRequest, _file: Path) -> Warehouse:
    outbox = MemoryOutbox()

    def write(exceptions: Sequence[str], *, first: int = 1) -> None:
        for number, exception in enumerate(exceptions, first):
            outbox.add(event(number, exception), exception_id=exception)

    return Warehouse(outbox=outbox, write=write)


def _in_duckdb(_request: pytest.FixtureRequest, file: Path) -> Warehouse:
    duckdb.connect(str(file)).close()

    def read(sql: str) -> list[dict[str, Any]]:
        with open_duckdb(file) as connection:
            return DuckDBReader(connection).rows(sql)

    return Warehouse(outbox=DuckDBOutbox(file), write=partial(write_outbox, file), read=read)


def _in_spark(request: pytest.FixtureRequest, _file: Path) -> Warehouse:
    session = request.getfixturevalue("spark_without_gold")
    return Warehouse(
        outbox=SparkOutbox(session), write=partial(write_outbox_on_spark, session), read=SparkReader(session).rows
    )


with_tables = pytest.mark.parametrize("warehouse", ["duckdb", "spark"], indirect=True)


def of(number: int) -> str:
    return f"{number:064x}"


def ids(events: Sequence[OutboxEvent]) -> list[str]:
    return [event.event_id for event in events]


def attempt(number: int, state: State, *, at: datetime = NOW, count: int = 1, error: str | None = None) -> Attempt:
    return Attempt(event_id=of(number), state=state, count=count, at=at, error=error)


@with_tables
def test_a_warehouse_without_an_outbox_is_reported(warehouse: Warehouse) -> None:
    for call in (warehouse.outbox.counts, warehouse.outbox.retry_refused):
        with pytest.raises(LakeError, match="there is no outbox in this warehouse yet"):
            call()


def test_a_batch_holds_the_oldest_waiting_event_of_each_exception(warehouse: Warehouse) -> None:
    warehouse.write(["a", "a", "b", "a", "c"])
    outbox = warehouse.outbox
    assert ids(outbox.record_and_read([], limit=2, tried_before=NOW)) == [of(1), of(3)]
    done = [attempt(1, State.DELIVERED), attempt(5, State.REFUSED)]
    following = outbox.record_and_read(done, limit=9, tried_before=NOW)
    assert ids(following) == [of(2), of(3)]
    assert following[0] == event(2, "a")


def test_an_event_that_failed_holds_back_its_own_exception_only_and_comes_last(warehouse: Warehouse) -> None:
    warehouse.write(["a", "a", "b", "b"])
    outbox = warehouse.outbox
    assert ids(outbox.record_and_read([attempt(1, State.WAITING)], limit=9, tried_before=NOW)) == [of(3)]
    assert ids(outbox.record_and_read([], limit=9, tried_before=LATER)) == [of(3), of(1)]
    assert ids(outbox.record_and_read([attempt(3, State.DELIVERED)], limit=9, tried_before=LATER)) == [of(4), of(1)]


def test_refused_events_are_listed_until_they_are_sent_again_or_dismissed(warehouse: Warehouse) -> None:
    warehouse.write(["a", "b", "c"])
    outbox = warehouse.outbox
    refused = [attempt(number, State.REFUSED, error=f"HTTP 42{number}") for number in (2, 1)]
    assert outbox.record_and_read(refused, limit=0, tried_before=NOW) == []
    counts = outbox.counts(examples=1)
    assert (counts.waiting, counts.refused) == (1, 2)
    (listed,) = counts.examples
    assert (listed.event_id, listed.exception_id, listed.error) == (of(1), "a", "HTTP 421")
    outbox.dismiss(of(1))
    with pytest.raises(LakeError, match="no refused event has the id"):
        outbox.dismiss(of(1))
    assert outbox.retry_refused() == 1
    assert ids(outbox.record_and_read([], limit=9, tried_before=LATER)) == [of(3), of(2)]
    counts = outbox.counts()
    assert (counts.waiting, counts.refused) == (2, 0)


def test_the_version_changes_with_new_events_and_not_when_it_is_read(warehouse: Warehouse) -> None:
    warehouse.write(["a"])
    outbox = warehouse.outbox
    before = outbox.version()
    assert len(outbox.record_and_read([], limit=9, tried_before=NOW)) == 1
    assert outbox.counts().waiting == 1
    assert outbox.version() == before
    warehouse.write(["b"], first=2)
    assert outbox.version() != before


def test_a_publisher_that_dies_with_events_on_their_way_sends_them_again_and_keeps_the_order(
    warehouse: Warehouse,
) -> None:
    """It dies when the second event is taken and not confirmed, then before it records both."""
    warehouse.write(["a", "b", "a"])
    outbox = warehouse.outbox

    class Dying(MemoryHub):
        def send(self, event: OutboxEvent) -> None:
            super().send(event)
            if len(self.taken) == 2:
                raise _Killed

    class Unrecorded:
        """What is left of an outbox when the process is gone: it is read, and never written again."""

        def record_and_read(self, done: Sequence[Attempt], *, limit: int, tried_before: datetime) -> list[OutboxEvent]:
            if done:
                raise _Killed
            return outbox.record_and_read(done, limit=limit, tried_before=tried_before)

    hub = Dying()
    for _ in range(2):
        mortal: Any = Unrecorded()
        with pytest.raises(_Killed):
            Publisher(outbox=mortal, hub=hub).publish()
    assert ids(hub.taken) == [of(1), of(2), of(1), of(2)]
    told: list[int] = []
    report = Publisher(outbox=outbox, hub=hub).publish(progress=told.append)
    assert (report.is_complete, report.delivered, told) == (True, 3, [1, 2, 3])
    assert ids(hub.taken)[4:] == [of(1), of(2), of(3)]
    assert Publisher(outbox=outbox, hub=hub).publish().delivered == 0


class _Killed(BaseException):
    pass


@with_tables
def test_attempts_add_up_and_a_delivery_clears_the_error(warehouse: Warehouse) -> None:
    warehouse.write(["a"])
    columns = (
        "select state, attempts, cast(last_attempt_at as string) as last_attempt_at, last_error,"
        " cast(delivered_at as string) as delivered_at from gold.event_delivery"
    )
    stored = "2026-03-10 01:02:03.000004"
    warehouse.outbox.record_and_read([attempt(1, State.WAITING, count=5, error=STRANGE)], limit=0, tried_before=NOW)
    assert [tuple(row.values()) for row in warehouse.read(columns)] == [("waiting", 5, stored, STRANGE, None)]
    warehouse.outbox.record_and_read([attempt(1, State.DELIVERED, count=2)], limit=0, tried_before=NOW)
    assert [tuple(row.values()) for row in warehouse.read(columns)] == [("delivered", 7, stored, None, stored)]
