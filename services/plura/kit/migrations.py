"""Numbered migrations in plain SQL, each applied once and in order."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import LiteralString

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from plura.kit.errors import ServiceError
from plura.kit.queries import sql_files

_DIGEST = re.compile(r"\A-- digest: ([0-9a-f]{64})$", re.MULTILINE)
_LOCK_SPACE = 0x706C7572
"""First key of the advisory locks under which a schema is migrated; the second one is made of its name."""


class MigrationError(ServiceError):
    """The schema in the database is not one that these migrations made."""


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One file: ``0007_what_it_does.sql``."""

    number: int
    name: str
    text: LiteralString
    digest: str
    """SHA-256 of the text, by which databases know it. A text that was rewritten to do the same in another way begins
    with the line ``-- digest: …`` of the original: databases that were migrated by the original are up to date."""


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
    """Apply what is missing in ``schema`` and return it; the same call again does nothing.

    Each migration is one transaction together with its entry in ``<schema>.schema_migrations``. Two calls at once take
    turns.

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
        MigrationError: one is missing, unknown or changed.
    """
    there = connection.execute("select to_regclass(%s)", (f"{schema}.schema_migrations",)).fetchone()
    missing = migrations if there in (None, (None,)) else _missing(connection, schema, migrations)
    if missing:
        raise MigrationError(
            f"the database lacks migration {missing[0].number:04} of schema {schema}: migrate it first"
        )


def _missing(connection: Connection[TupleRow], schema: LiteralString, migrations: list[Migration]) -> list[Migration]:
    known = {one.number: one for one in migrations}
    select = sql.SQL("select number, name, digest from {} order by number").format(_table(schema))
    applied = set()
    for number, name, digest in connection.execute(select):
        if number not in known:
            raise MigrationError(f"the database has migration {number:04} {name}, which this version does not know")
        if known[number].digest != digest:
            raise MigrationError(f"migration {number:04} {name} was changed after it had been applied")
        applied.add(number)
    return [one for one in migrations if one.number not in applied]


def _table(schema: str) -> sql.Identifier:
    return sql.Identifier(schema, "schema_migrations")
