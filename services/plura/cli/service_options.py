"""Shared by the commands of the services: the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from plura.kit.errors import ServiceError
from plura.kit.service_settings import read_settings

if TYPE_CHECKING:
    from plura.kit.database import Database


def database() -> Database:
    """Return the database of the settings; without an address, start the embedded PostgreSQL.

    Raises:
        ServiceError: a setting is wrong, or the embedded PostgreSQL cannot be started.
    """
    from plura.kit.database import Database, DatabaseSettings

    return Database(read_settings(DatabaseSettings))


@contextmanager
def database_problems(database: Database) -> Iterator[None]:
    """Turn errors of the database into an error of a single line.

    Raises:
        ServiceError: instead of an error of the driver.
    """
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ServiceError(f"database {database.where}: {lines[0]}") from error
