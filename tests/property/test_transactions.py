"""What is stored depends on the set of events alone: any order, batches, duplicates and number of consumers."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.postgres import TestDatabase, bo, postgres
from tests.transactions.arrivals import arrangements, events
from tests.transactions.oracle import State, state_of
from tests.transactions.storing import Event, Writer, clear, state_in

__all__ = ["bo", "postgres"]

SLOW = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Tables:
    """Two consumers and a reader."""

    def __init__(self, database: TestDatabase) -> None:
        self.database = database
        self.writers = [Writer(database), Writer(database)]
        self.reader = database.client().connect("reader")

    def hold(self) -> State:
        return state_in(self.reader)

    def close(self) -> None:
        self.reader.close()
        for writer in self.writers:
            writer.close()


@pytest.fixture
def tables(bo: TestDatabase) -> Iterator[Tables]:
    tables = Tables(bo)
    yield tables
    tables.close()


@SLOW
@given(data=st.data())
def test_any_arrangement_of_the_events_gives_the_rows_of_the_oracle(tables: Tables, data: st.DataObject) -> None:
    of = data.draw(st.lists(events(), max_size=12))
    expected = state_of(of)
    for _ in range(2):
        clear(tables.reader)
        for batch in data.draw(arrangements(of)):
            tables.writers[0].write(*batch)
        assert tables.hold() == expected


@settings(SLOW, max_examples=60)
@given(data=st.data())
def test_two_consumers_at_once_give_the_rows_of_the_oracle(tables: Tables, data: st.DataObject) -> None:
    of = data.draw(st.lists(events(), min_size=4, max_size=20))
    clear(tables.reader)
    middle = len(of) // 2
    halves = [data.draw(arrangements(half)) for half in (of[:middle], of[middle:])]
    start = threading.Barrier(2)

    def work(writer: Writer, batches: list[list[Event]]) -> None:
        start.wait()
        for batch in batches:
            writer.write(*batch)

    threads = [
        threading.Thread(target=work, args=[writer, half]) for writer, half in zip(tables.writers, halves, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tables.hold() == state_of(of)
