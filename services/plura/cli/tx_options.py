"""What the commands of ``plura tx`` share: the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from plura.kit.environment import read_settings
from plura.kit.errors import ServiceError

if TYPE_CHECKING:
    from plura.kit.database import Database


def database() -> Database:
    """Return the database that the settings name, or start the embedded one.

    Raises:
        ServiceError: a setting is wrong, or the embedded PostgreSQL cannot be started.
    """
    from plura.kit.database import Database, DatabaseSettings

    return Database(read_settings(DatabaseSettings))


@contextmanager
def database_problems(there: Database) -> Iterator[None]:
    """Let what the database says end the command with one line.

    Raises:
        ServiceError: in place of an error of the driver.
    """
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise ServiceError(f"database {there.where}: {said[0]}") from error
