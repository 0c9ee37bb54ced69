"""A real PostgreSQL for tests: one server per test process, and a migrated database of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import TupleRow
from pydantic import SecretStr

from plura.kit.database import Database, DatabaseSettings
from plura.kit.embedded_postgres import EmbeddedPostgres
from plura.kit.migrations import migrate
from plura.tx.db import SCHEMA, bo_migrations

_TEMPLATE = "migrated"


@dataclass(frozen=True, kw_only=True)
class TestDatabase:
    """A database of the test server, read and written here as its owner."""

    __test__ = False

    server: EmbeddedPostgres
    name: str

    @property
    def url(self) -> str:
        """Address with the rights of the owner."""
        return self.server.url_of(self.name)

    def client(self, **settings: Any) -> Database:
        """What the services reach it through; ``settings`` are those of ``DatabaseSettings``."""
        return Database(DatabaseSettings(database_url=SecretStr(self.url), **settings))

    def sql(self, statement: str, parameters: Sequence[Any] = (), *, role: str | None = None) -> list[TupleRow]:
        """Run a statement, as ``role`` if one is named, and return its rows."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("set timezone = 'UTC'")
            if role is not None:
                connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
            cursor = connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A running server for all tests of this process."""
    with running_server() as server:
        template = TestDatabase(server=server, name=_TEMPLATE)
        create_database(server, _TEMPLATE, template="template0")
        with psycopg.connect(template.url) as connection:
            migrate(connection, SCHEMA, bo_migrations())
        yield server


@pytest.fixture
def bo(postgres: EmbeddedPostgres) -> Iterator[TestDatabase]:
    """A database with the schema ``bo`` and no rows."""
    with temporary_database(postgres, template=_TEMPLATE) as database:
        yield database


@contextmanager
def running_server() -> Iterator[EmbeddedPostgres]:
    """Run a server in a new folder; it forgets its data in a crash of the machine, not in one of its own.

    As root the server runs as another user, who has to pass all folders above; pytest closes its own to others.
    """
    with TemporaryDirectory(prefix="plura-pg-") as folder:
        server = EmbeddedPostgres(Path(folder) / "pg", fsync="off", max_connections="60")
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


@contextmanager
def temporary_database(server: EmbeddedPostgres, *, template: str = "template0") -> Iterator[TestDatabase]:
    """Make a database and drop it afterwards."""
    name = f"test_{uuid4().hex[:12]}"
    create_database(server, name, template=template)
    try:
        yield TestDatabase(server=server, name=name)
    finally:
        _as_owner(server, sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def create_database(server: EmbeddedPostgres, name: str, *, template: str) -> None:
    """Make a database as a copy of another."""
    words = sql.SQL("create database {} template {}")
    _as_owner(server, words.format(sql.Identifier(name), sql.Identifier(template)))


def _as_owner(server: EmbeddedPostgres, statement: sql.Composed) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(statement)
