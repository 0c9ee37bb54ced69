"""Numbered migrations in plain SQL, each applied once, in order."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import LiteralString, NamedTuple

from psycopg import Connection, sql
from psycopg.rows import TupleRow, scalar_row

from plura.kit.errors import ServiceError
from plura.kit.queries import sql_files
from plura.kit.rows import row_of

_DIGEST = re.compile(r"\A-- digest: ([0-9a-f]{64})$", re.MULTILINE)
_LOCK_SPACE = 0x706C7572
"""First key of the advisory lock of migrations; the second is a hash of the schema's name."""


class MigrationError(ServiceError):
    """These migrations did not create the schema in the database."""


@dataclass(frozen=True, kw_only=True)
class Migration:
    """A file like ``0007_what_it_does.sql``."""

    number: int
    name: str
    text: LiteralString
    digest: str
    """SHA-256 of the text, which databases record. A text that was rewritten without a change of its result starts with
    the line ``-- digest: …`` of the original: databases that have the original migration are up to date."""


class _Applied(NamedTuple):
    """A row of ``schema_migrations``."""

    number: int
    name: str
    digest: str


def read_migrations(package: str) -> list[Migration]:
    """Return the migrations of a package in order.

    Raises:
        ValueError: their numbers are not 1, 2, 3 …
    """
    found = []
    for expected, file in enumerate(sql_files(package), start=1):
        stem = file.name.removesuffix(".sql")
        number, _, name = stem.partition("_")
        if not number.isdigit() or int(number) != expected:
            raise ValueError(f"{file.name}: migration {expected:04} was expected")
        text = file.read_text(encoding="utf-8")
        first = _DIGEST.search(text)
        digest = first[1] if first else hashlib.sha256(text.encode()).hexdigest()
        found.append(Migration(number=expected, name=name, text=text, digest=digest))
    return found


def migrate(connection: Connection[TupleRow], schema: LiteralString, migrations: list[Migration]) -> list[Migration]:
    """Apply the missing migrations of ``schema`` and return them; a second call does nothing.

    Each migration and its row in ``<schema>.schema_migrations`` are one transaction. Concurrent calls take turns.

    Raises:
        MigrationError: an applied migration is unknown here, or its text has changed since.
    """
    key = int.from_bytes(hashlib.sha256(schema.encode()).digest()[:4], "big", signed=True)
    connection.autocommit = True
    connection.execute("select pg_advisory_lock(%s, %s)", (_LOCK_SPACE, key))
    try:
        with connection.transaction():
            connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
            connection.execute(
                sql.SQL(
                    "create table if not exists {} (number integer primary key, name text not null,"
                    " digest text not null, applied_at timestamptz not null default now())"
                ).format(_table(schema))
            )
        missing = _missing(connection, schema, migrations)
        for migration in missing:
            with connection.transaction():
                connection.execute(migration.text)
                connection.execute(
                    sql.SQL("insert into {} (number, name, digest) values (%s, %s, %s)").format(_table(schema)),
                    (migration.number, migration.name, migration.digest),
                )
        return missing
    finally:
        connection.execute("select pg_advisory_unlock(%s, %s)", (_LOCK_SPACE, key))


def require_migrated(connection: Connection[TupleRow], schema: LiteralString, migrations: list[Migration]) -> None:
    """Check that every migration is applied.

    Raises:
        MigrationError: a migration is missing, unknown or changed.
    """
    cursor = connection.cursor(row_factory=scalar_row)
    table = cursor.execute("select to_regclass(%s)", (f"{schema}.schema_migrations",)).fetchone()
    missing = migrations if table is None else _missing(connection, schema, migrations)
    if missing:
        raise MigrationError(
            f"the database lacks migration {missing[0].number:04} of schema {schema}: migrate it first"
        )


def _missing(connection: Connection[TupleRow], schema: LiteralString, migrations: list[Migration]) -> list[Migration]:
    known = {migration.number: migration for migration in migrations}
    select = sql.SQL("select number, name, digest from {} order by number").format(_table(schema))
    applied = set()
    for row in connection.cursor(row_factory=row_of(_Applied)).execute(select):
        if row.number not in known:
            raise MigrationError(
                f"the database has migration {row.number:04} {row.name}, which this version does not know"
            )
        if known[row.number].digest != row.digest:
            raise MigrationError(f"migration {row.number:04} {row.name} was changed after it had been applied")
        applied.add(row.number)
    return [migration for migration in migrations if migration.number not in applied]


def _table(schema: str) -> sql.Identifier:
    return sql.Identifier(schema, "schema_migrations")
