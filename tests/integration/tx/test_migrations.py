"""The schema, its roles and what they may do, and how migrations are applied."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from plura.kit.embedded_postgres import EmbeddedPostgres
from plura.kit.errors import ServiceError
from plura.kit.migrations import MigrationError, migrate, require_migrated
from plura.tx.db import API_ROLE, AUDIT_ROLE, CONSUMER_ROLE, SCHEMA, bo_migrations
from tests.commands import Plura
from tests.postgres import TestDatabase, running_server, temporary_database

TABLES = {
    "ledger_entries",
    "payment_orders",
    "payment_ledger_pairs",
    "admin_audit_logs",
    "consumer_dlq_events",
    "consumer_state",
    "backfills",
    "ended_sessions",
}
ALLOWED = {
    CONSUMER_ROLE: {
        "ledger_entries": "SELECT INSERT UPDATE",
        "payment_orders": "SELECT INSERT UPDATE",
        "payment_ledger_pairs": "SELECT INSERT UPDATE DELETE",
        "consumer_dlq_events": "SELECT INSERT UPDATE DELETE",
        "consumer_state": "SELECT INSERT UPDATE",
        "backfills": "SELECT INSERT UPDATE",
        "admin_audit_logs": "",
        "ended_sessions": "",
    },
    API_ROLE: {
        "ledger_entries": "SELECT",
        "payment_orders": "SELECT",
        "payment_ledger_pairs": "SELECT",
        "consumer_state": "SELECT",
        "consumer_dlq_events": "",
        "backfills": "",
        "admin_audit_logs": "",  # some columns may be inserted, see below
        "ended_sessions": "SELECT",
    },
    AUDIT_ROLE: {name: "SELECT" if name == "admin_audit_logs" else "" for name in TABLES},
}
RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


def test_command_migrates_the_embedded_database_and_does_nothing_the_second_time(tmp_path: Path) -> None:
    plura = Plura(work=tmp_path, settings={"PLURA_PG_DIR": str(tmp_path / "pg")})
    first = plura.process("tx", "migrate")
    assert first.code == 0, first.err
    assert first.out.splitlines()[:2] == ["applied 0001 roles", "applied 0002 tables"]
    second = plura.process("tx", "migrate")
    assert second.code == 0, second.err
    assert [line for line in second.out.splitlines() if "applied" in line] == []
    assert not EmbeddedPostgres(tmp_path / "pg").runs(), "the last command that used the server stops it"


def test_the_command_reports_why_it_cannot_migrate(tmp_path: Path) -> None:
    def message_of(**settings: str) -> str:
        outcome = Plura(work=tmp_path, settings=settings)("tx", "migrate")
        assert outcome.code == 1
        return outcome.error

    assert "postgresql://" in message_of(PLURA_DATABASE_URL="mysql://there")
    assert "differ" in message_of(PLURA_DATABASE_URL="postgresql://a/b", DATABASE_URL="postgresql://a/c")
    nowhere = message_of(PLURA_DATABASE_URL="postgresql://bo:secret@127.0.0.1:1/bo")
    assert "127.0.0.1" in nowhere
    assert "secret" not in nowhere


def test_tables_and_indexes(bo: TestDatabase) -> None:
    tables = {name for (name,) in bo.sql("select tablename from pg_tables where schemaname = 'bo'")}
    assert tables == TABLES | {"schema_migrations"}
    indexes: dict[str, str] = dict(bo.sql("select indexname, indexdef from pg_indexes where schemaname = 'bo'"))
    for name in (
        "ledger_entries_related_id",
        "ledger_entries_wallet_id_event_time",
        "ledger_entries_event_time",
        "payment_orders_user_id",
        "payment_orders_merchant_name",
        "payment_orders_status",
        "payment_orders_created_at",
        "payment_ledger_pairs_payment_tx_id",
        "payment_ledger_pairs_receive_tx_id",
        "admin_audit_logs_requested_at",
        "admin_audit_logs_resource_id",
        "admin_audit_logs_actor_id",
        "admin_audit_logs_resource_time",
        "consumer_dlq_events_ingested_at",
        "consumer_dlq_events_topic",
        "consumer_dlq_events_topic_ingested_at",
    ):
        assert f"ix_bo_{name}" in indexes


def test_roles_may_do_what_they_need_and_no_more(bo: TestDatabase) -> None:
    for role, tables in ALLOWED.items():
        assert bo.sql("select rolcanlogin from pg_roles where rolname = %s", [role]) == [(False,)]
        for table, allowed in tables.items():
            found = [
                right
                for right in RIGHTS
                if bo.sql("select has_table_privilege(%s, %s, %s)", [role, f"bo.{table}", right]) == [(True,)]
            ]
            assert found == allowed.split(), (role, table)


def test_the_api_cannot_set_number_and_time_of_an_audit_row(bo: TestDatabase) -> None:
    columns = "select attname from pg_attribute where attrelid = 'bo.admin_audit_logs'::regclass and attnum > 0"
    allowed = f"{columns} and has_column_privilege(%s, attrelid, attnum, 'insert')"
    for role, missing in ((API_ROLE, {"audit_id", "requested_at"}), (CONSUMER_ROLE, None), (AUDIT_ROLE, None)):
        found = {name for (name,) in bo.sql(allowed, [role])}
        assert found == (set() if missing is None else {name for (name,) in bo.sql(columns)} - missing), role


def test_functions_are_for_those_who_need_them(bo: TestDatabase) -> None:
    owned = "select oid::regprocedure::text from pg_proc where pronamespace = 'bo'::regnamespace"
    for role, expected in ((API_ROLE, 3), (CONSUMER_ROLE, 0), (AUDIT_ROLE, 0)):
        found = bo.sql(f"{owned} and has_function_privilege(%s, oid, 'execute')", [role])
        assert len(found) == expected, (role, found)


def test_a_role_is_refused_what_it_may_not(bo: TestDatabase) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        bo.sql("select * from bo.admin_audit_logs", role=CONSUMER_ROLE)
    with pytest.raises(errors.InsufficientPrivilege):
        bo.sql("update bo.ledger_entries set amount = 0", role=API_ROLE)
    with pytest.raises(errors.InsufficientPrivilege):
        bo.sql("select * from bo.ledger_entries", role=AUDIT_ROLE)
    insert = (
        "insert into bo.admin_audit_logs (action, resource_type, result, status_code, request_method, request_path)"
        " values ('a', 'b', 'c', 200, 'GET', '/')"
    )
    bo.sql(insert, role=API_ROLE)
    assert bo.sql("select count(*) from bo.admin_audit_logs", role=AUDIT_ROLE) == [(1,)]


def test_two_migrations_at_once_take_turns(postgres: EmbeddedPostgres) -> None:
    with temporary_database(postgres) as database:
        applied: list[int] = []

        def work() -> None:
            with psycopg.connect(database.url) as connection:
                applied.extend(migration.number for migration in migrate(connection, SCHEMA, bo_migrations()))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(applied) == [migration.number for migration in bo_migrations()]


def test_a_user_without_superuser_rights_migrates_and_takes_the_roles(postgres: EmbeddedPostgres) -> None:
    with temporary_database(postgres) as database:
        # the roles exist on this server already, so that the user has to be a member of them
        database.sql("drop role if exists plain_owner")
        database.sql("create role plain_owner login createrole")
        database.sql("grant bo_consumer, bo_api, bo_audit to plain_owner")
        database.sql(f"alter database {database.name} owner to plain_owner")
        with psycopg.connect(database.url.replace("postgres@", "plain_owner@")) as connection:
            migrate(connection, SCHEMA, bo_migrations())
            connection.execute("set role bo_consumer")
            assert connection.execute("select count(*) from bo.ledger_entries").fetchone() == (0,)


def test_a_user_who_may_create_roles_makes_them_and_takes_them() -> None:
    with running_server() as empty, temporary_database(empty) as database:
        database.sql("create role administrator login createrole")
        database.sql(f"alter database {database.name} owner to administrator")
        with psycopg.connect(database.url.replace("postgres@", "administrator@"), autocommit=True) as connection:
            migrate(connection, SCHEMA, bo_migrations())
            for role in (CONSUMER_ROLE, API_ROLE, AUDIT_ROLE):
                connection.execute(f"set role {role}")
                connection.execute("reset role")


def test_a_failing_migration_leaves_nothing(postgres: EmbeddedPostgres) -> None:
    with temporary_database(postgres) as database, psycopg.connect(database.url) as connection:
        known = bo_migrations()
        broken = dataclasses.replace(
            known[-1], number=len(known) + 1, text="create table bo.half (); select 1 / 0", digest="x"
        )
        with pytest.raises(errors.DivisionByZero):
            migrate(connection, SCHEMA, [*known, broken])
        assert connection.execute("select to_regclass('bo.half')").fetchone() == (None,)
        assert migrate(connection, SCHEMA, known) == []


def test_a_schema_that_is_not_ours_is_refused(bo: TestDatabase, postgres: EmbeddedPostgres) -> None:
    known = bo_migrations()
    with bo.client().connect("test") as connection:
        require_migrated(connection, SCHEMA, known)
        with pytest.raises(MigrationError, match="does not know"):
            require_migrated(connection, SCHEMA, known[:-1])
        with pytest.raises(MigrationError, match="changed"):
            migrate(connection, SCHEMA, [dataclasses.replace(known[0], digest="other"), *known[1:]])
    with (
        temporary_database(postgres) as empty,
        empty.client().connect("test") as connection,
        pytest.raises(ServiceError, match="migrate"),
    ):
        require_migrated(connection, SCHEMA, known)


def test_connections_carry_their_limits(bo: TestDatabase) -> None:
    client = bo.client(db_statement_timeout_ms=150, db_lock_timeout_ms=60)
    with client.connect("limits", CONSUMER_ROLE) as connection:
        shown = [
            connection.execute("select current_setting(%s)", [name]).fetchone()
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "role", "TimeZone")
        ]
        assert shown == [("150ms",), ("60ms",), ("30s",), (CONSUMER_ROLE,), ("UTC",)]
        with pytest.raises(errors.QueryCanceled):
            connection.execute("select pg_sleep(5)")

    async def user_of_a_pool() -> object:
        async with client.async_pool("limits", API_ROLE) as pool, pool.connection() as pooled:
            return await (await pooled.execute("select current_user")).fetchone()

    assert asyncio.run(user_of_a_pool()) == (API_ROLE,)
