"""The rows that the benchmark fills tables with are those that its events leave."""

from __future__ import annotations

from psycopg import connect

from bench.tx_events import mixed_events
from bench.tx_stage import fill
from tests.postgres import TestDatabase
from tests.transactions.oracle import LEDGER_TOPIC, ORDER_TOPIC
from tests.transactions.storing import Writer, clear, state_in

TOPICS = {"ledger": LEDGER_TOPIC, "payment_order": ORDER_TOPIC}


def test_filled_rows_are_those_of_the_events(bo: TestDatabase) -> None:
    writer = Writer(bo)
    writer.write(*((TOPICS[kind], event) for kind, event in mixed_events(70)))
    writer.close()
    with connect(bo.url, autocommit=True) as connection:
        connection.execute("set timezone = 'UTC'")
        stored = state_in(connection)
        indexes = "select tablename, indexdef from pg_indexes where schemaname = 'bo' order by indexdef"
        before = connection.execute(indexes).fetchall()
        clear(connection)
        fill(connection, 50)
        filled = state_in(connection)
        assert connection.execute(indexes).fetchall() == before
    assert (len(stored.ledger), len(stored.orders), len(stored.pairs)) == (50, 20, 20)
    assert filled == stored
