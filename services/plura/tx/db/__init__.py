"""The schema ``bo``: migrations, and the roles that the processes take."""

from __future__ import annotations

from typing import LiteralString

from plura.kit.migrations import Migration, read_migrations

SCHEMA: LiteralString = "bo"
CONSUMER_ROLE: LiteralString = "bo_consumer"
API_ROLE: LiteralString = "bo_api"
AUDIT_ROLE: LiteralString = "bo_audit"


def bo_migrations() -> list[Migration]:
    """Return the migrations of the schema in order."""
    return read_migrations("plura.tx.db.migrations")
