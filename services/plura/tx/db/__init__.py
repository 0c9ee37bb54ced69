"""The schema ``bo``: migrations, and the roles that the processes take."""

from __future__ import annotations

from importlib.resources import files
from typing import LiteralString

from psycopg import Connection
from psycopg.rows import TupleRow

from plura.kit.errors import ServiceError
from plura.kit.migrations import Migration, read_migrations

SCHEMA: LiteralString = "bo"
CONSUMER_ROLE: LiteralString = "bo_consumer"
API_ROLE: LiteralString = "bo_api"
AUDIT_ROLE: LiteralString = "bo_audit"

LONGEST_ID = 255
"""Characters of an id at most: longer ones are neither stored nor looked up."""


def bo_migrations() -> list[Migration]:
    """Return the migrations of the schema in order."""
    return read_migrations("plura.tx.db.migrations")


def partition_ledger(connection: Connection[TupleRow], partitions: int) -> bool:
    """Spread the ledger over hash partitions, all or nothing; return False where it is spread over as many already.

    Raises:
        ServiceError: it is spread over another number of them.
    """
    found = connection.execute(
        "select count(*) from pg_inherits where inhparent = 'bo.ledger_entries'::regclass"
    ).fetchone()
    there = int(found[0]) if found else 0
    if there == partitions:
        return False
    if there:
        raise ServiceError(f"the ledger has {there} partitions already")
    script = (files("plura.tx.db") / "partition_ledger_entries.sql").read_bytes()
    with connection.transaction():
        connection.execute("select set_config('plura.ledger_partitions', %s, true)", [str(partitions)])
        connection.execute(script)
    return True
