"""Migrations while the version before goes on: nobody deadlocks with them, and no migration is undone by a lookup."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import ExitStack

import psycopg
import pytest

from plura.kit.embedded_postgres import EmbeddedPostgres
from plura.kit.migrations import migrate
from plura.tx.db import SCHEMA, bo_migrations
from tests.postgres import TestDatabase, temporary_database

INSERT = (
    "insert into bo.admin_audit_logs (action, resource_type, resource_id, result, status_code, request_method,"
    " request_path)"
)
LOOKUP = (
    "with entry as materialized (select tx_id from bo.traced_entries where tx_id = 't-7'), audited as"
    f" ({INSERT} select 'a', 'TX', 't-7', 'FOUND', 200, 'GET', '/' from (select count(*) from entry) as outcome)"
    " select * from entry"
)
"""A lookup as the version before makes it: it reads the ledger, then it records that."""
READ_AUDIT = (
    "select count(*) from bo.admin_audit_logs",
    f"{INSERT} values ('a', 'AUDIT', '', 'FOUND', 200, 'GET', '/')",
)
STORE = (
    "update bo.ledger_entries set amount = amount + 1 where tx_id = 't-9'",
    "update bo.payment_orders set amount = amount + 1 where order_id = 'o-9'",
    "select count(*) from bo.traced_entries where related_id = 'o-9'",
)
"""What reads the audit and what stores events work in transactions of several statements."""
SLOW = """
create function public.be_slow() returns event_trigger language plpgsql as $$ begin perform pg_sleep(0.4); end $$;
create event trigger slow_indexes on ddl_command_end when tag in ('CREATE INDEX') execute function public.be_slow();
"""
"""Building an index takes as long as it does with many rows."""


@pytest.mark.parametrize("number", [migration.number for migration in bo_migrations() if migration.number > 2])
def test_a_migration_and_what_is_at_work_meanwhile_never_deadlock(postgres: EmbeddedPostgres, number: int) -> None:
    with temporary_database(postgres) as database:
        with psycopg.connect(database.url) as connection:
            migrate(connection, SCHEMA, bo_migrations()[: number - 1])
        database.sql(
            "insert into bo.ledger_entries (tx_id, wallet_id, entry_type, amount, amount_signed, related_id,"
            " event_time, created_at, row_digest)"
            " select 't-' || n, 'w', 'PAYMENT', 1, -1, 'o-' || n, now(), now(), decode(repeat('00', 16), 'hex')"
            " from generate_series(1, 1000) as n"
        )
        database.sql(SLOW)
        outcomes: Counter[str] = Counter()
        stopping = threading.Event()
        with ExitStack() as stack:
            for statements in ((LOOKUP,), (LOOKUP,), (LOOKUP,), READ_AUDIT, STORE):
                at_work = threading.Thread(target=_keep_working, args=(database, statements, stopping, outcomes))
                at_work.start()
                stack.callback(at_work.join)
            stack.callback(stopping.set)
            time.sleep(0.3)
            with psycopg.connect(database.url) as connection:
                applied = migrate(connection, SCHEMA, bo_migrations()[:number])
            time.sleep(0.3)
        assert [migration.number for migration in applied] == [number]
        assert outcomes["done"] > 10
        assert outcomes["40P01"] == 0, outcomes


def _keep_working(
    database: TestDatabase, statements: tuple[str, ...], stopping: threading.Event, outcomes: Counter[str]
) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("set statement_timeout = '3s'")
        while not stopping.is_set():
            try:
                with connection.transaction():
                    for statement in statements:
                        connection.execute(statement.encode())
                        time.sleep(0.01)
            except psycopg.Error as error:
                outcomes[error.sqlstate or "?"] += 1
            else:
                outcomes["done"] += 1
