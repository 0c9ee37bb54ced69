"""What the users that docs/tx/operations.md sets up may do on a server, on every version from 14 on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest import mock

import psycopg
import pytest

from dev.servers.kafka import MissingPartError
from dev.servers.postgres import postgres_programs
from plura.kit.embedded_postgres import EmbeddedPostgres
from plura.kit.migrations import migrate, require_migrated
from plura.tx.db import API_ROLE, AUDIT_ROLE, CONSUMER_ROLE, SCHEMA, bo_migrations
from tests.commands import Plura
from tests.dbt_runs import PROJECT
from tests.postgres import running_server
from tests.spark import skip_or_fail

OPERATIONS = PROJECT / "docs" / "tx" / "operations.md"
ROLES = {CONSUMER_ROLE, API_ROLE, AUDIT_ROLE}
USERS = {"tx_owner": ROLES, "tx_consumer": {CONSUMER_ROLE}, "tx_api": {API_ROLE, AUDIT_ROLE}}
VERSIONS = (14, 15, 18)


def statements() -> tuple[str, str, str]:
    """What the documents let an administrator do, first on the server, then in the database, and what its owner."""
    section = OPERATIONS.read_text(encoding="utf-8").partition("## Set up")[2].partition("\n## ")[0]
    on_server, in_database, owner = re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
    return on_server.replace("…", "secret"), in_database, owner


@contextmanager
def server_of(major: int) -> Iterator[EmbeddedPostgres]:
    """Run a server of a version."""
    patched = nullcontext()
    if major != 18:
        try:
            programs = postgres_programs(major)
        except MissingPartError as missing:
            skip_or_fail(str(missing))
        patched = mock.patch.multiple("plura.kit.embedded_postgres", _programs=lambda: programs, _MAJOR=str(major))  # type: ignore[assignment]
    with patched, running_server() as server:
        yield server


@pytest.fixture(scope="module", params=VERSIONS)
def server(request: pytest.FixtureRequest) -> Iterator[EmbeddedPostgres]:
    with server_of(request.param) as server:
        yield server


@pytest.fixture(scope="module")
def payments(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of the database that the documents set up, without a user."""
    on_server, in_database, owner = statements()
    with psycopg.connect(server.url, autocommit=True) as connection:
        for statement in filter(str.strip, on_server.split(";\n")):
            connection.execute(statement.encode())
    address = server.url_of("payments")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(in_database.encode())
    plura = Plura(work=tmp_path_factory.mktemp("owner"), settings={"PLURA_DATABASE_URL": as_user(address, "tx_owner")})
    migrated = plura("tx", "migrate")
    assert migrated.code == 0, migrated.err
    with psycopg.connect(as_user(address, "tx_owner"), autocommit=True) as connection:
        connection.execute(owner.encode())
    return address


def as_user(address: str, user: str) -> str:
    return address.replace("postgres@", f"{user}@")


def test_the_servers_are_of_their_versions(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url) as connection:
        assert connection.info.server_version // 10_000 in VERSIONS


def test_each_user_belongs_to_what_it_needs_and_nothing_else(payments: str) -> None:
    member = """
        select rolname from pg_roles
        where pg_has_role(%s, oid, 'member') and rolname not in (%s, 'pg_database_owner')
    """
    with psycopg.connect(payments) as connection:
        for user, roles in USERS.items():
            assert {name for (name,) in connection.execute(member, [user, user])} == roles
            rights = connection.execute(
                "select rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls from pg_roles"
                " where rolname = %s",
                [user],
            ).fetchone()
            assert rights == (False,) * 5


@pytest.mark.parametrize("user", USERS)
def test_no_user_runs_programs_or_reads_files_of_the_server(payments: str, user: str) -> None:
    attacks = [
        "copy (select 1) to program 'true'",
        "copy (select 1) to '/tmp/out'",
        "select pg_read_file('/etc/passwd')",
        "create role helper superuser",
        "create role helper",
        "alter role current_user createrole",
        f"alter role {user} superuser",
        "alter role postgres password 'x'",
        "set role postgres",
        "create function f() returns int language c as '/lib/x86_64-linux-gnu/libc.so.6', 'getpid'",
        "alter system set archive_command = 'true'",
    ]
    with psycopg.connect(payments, autocommit=True) as connection:
        predefined = [
            name for (name,) in connection.execute("select rolname from pg_roles where rolname like 'pg\\_%'")
        ]
    attacks += [f"grant {name} to {user}" for name in predefined]
    attacks += [f"set role {name}" for name in predefined if name != "pg_database_owner" or user != "tx_owner"]
    with psycopg.connect(as_user(payments, user), autocommit=True) as connection:
        for attack in attacks:
            with pytest.raises(psycopg.Error) as refused:
                connection.execute(attack.encode())
            assert refused.value.sqlstate in ("42501", "0LP01", "0A000", "42704"), (attack, str(refused.value))


def test_each_process_takes_its_roles(payments: str) -> None:
    for user, roles in USERS.items():
        with psycopg.connect(as_user(payments, user), autocommit=True) as connection:
            for role in (CONSUMER_ROLE, API_ROLE, AUDIT_ROLE):
                if role in roles:
                    connection.execute(f"set role {role}")
                    connection.execute("reset role")
                else:
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        connection.execute(f"set role {role}")
    with psycopg.connect(as_user(payments, "tx_consumer"), autocommit=True) as connection:
        connection.execute(f"set role {CONSUMER_ROLE}")
        require_migrated(connection, SCHEMA, bo_migrations())


def test_the_users_of_the_processes_make_nothing(payments: str) -> None:
    for user in ("tx_consumer", "tx_api"):
        with psycopg.connect(as_user(payments, user), autocommit=True) as connection:
            for statement in ("create table public.trap ()", "create schema trap", "create table bo.trap ()"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement.encode())


@pytest.mark.usefixtures("server")
def test_an_owner_without_the_roles_learns_who_creates_them(tmp_path: Path) -> None:
    with running_server() as empty:
        with psycopg.connect(empty.url, autocommit=True) as connection:
            connection.execute("create role plain login")
            connection.execute("create database plain owner plain")
        url = as_user(empty.url_of("plain"), "plain")
        outcome = Plura(work=tmp_path, settings={"PLURA_DATABASE_URL": url})("tx", "migrate")
        assert outcome.code == 1
        assert "the role bo_consumer is missing, and plain may not create it" in outcome.error
        assert "docs/tx/operations.md" in outcome.error


def test_a_database_that_was_migrated_by_the_first_text_is_up_to_date(server: EmbeddedPostgres) -> None:
    first = "6c589a540507"
    assert bo_migrations()[0].digest.startswith(first)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("drop database if exists migrated_before")
        connection.execute("create database migrated_before")
    with psycopg.connect(server.url_of("migrated_before")) as connection:
        migrate(connection, SCHEMA, bo_migrations())
        stored = connection.execute("select digest from bo.schema_migrations where number = 1").fetchone()
        assert stored is not None
        assert stored[0].startswith(first)
        assert migrate(connection, SCHEMA, bo_migrations()) == []
