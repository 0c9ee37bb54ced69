"""The schema ``bo``: migrations, and the roles of the processes."""

from __future__ import annotations

from importlib.resources import files
from typing import LiteralString

from psycopg import Connection
from psycopg.rows import TupleRow, scalar_row

from plura.kit.errors import ServiceError
from plura.kit.migrations import Migration, read_migrations

SCHEMA: LiteralString = "bo"
CONSUMER_ROLE: LiteralString = "bo_consumer"
API_ROLE: LiteralString = "bo_api"
AUDIT_ROLE: LiteralString = "bo_audit"

LONGEST_ID = 255
"""Most characters of an id: longer ids are neither stored nor looked up."""


def bo_migrations() -> list[Migration]:
    """Return the migrations of the schema in order."""
    return read_migrations("plura.tx.db.migrations")


def partition_ledger(connection: Connection[TupleRow], partitions: int) -> bool:
    """Spread the ledger over hash partitions, all or nothing; return False if it has that number of them already.

    Raises:
        ServiceError: the ledger has a different number of partitions.
    """
    cursor = connection.cursor(row_factory=scalar_row)
    count = "select count(*) from pg_inherits where inhparent = 'bo.ledger_entries'::regclass"
    existing = int(cursor.execute(count).fetchone() or 0)
    if existing == partitions:
        return False
    if existing:
        raise ServiceError(f"the ledger has {existing} partitions already")
    script = (files("plura.tx.db") / "partition_ledger_entries.sql").read_bytes()
    with connection.transaction():
        connection.execute("select set_config('plura.ledger_partitions', %s, true)", [str(partitions)])
        connection.execute(script)
    return True
