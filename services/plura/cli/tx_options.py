"""Shared by the commands of ``plura tx``: settings from the environment, the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from plura.kit.environment import ServiceSettings
from plura.kit.errors import ServiceError

if TYPE_CHECKING:
    from plura.kit.database import Database

Settings = TypeVar("Settings", bound=ServiceSettings)


def read_settings(of: type[Settings]) -> Settings:
    """Return settings from the environment.

    Raises:
        ServiceError: a setting is wrong; the text names it.
    """
    try:
        return of()
    except ValidationError as error:
        first = error.errors()[0]
        name = "PLURA_" + "_".join(str(part) for part in first["loc"]).upper() + ": " if first["loc"] else ""
        raise ServiceError(f"{name}{first['msg'].removeprefix('Value error, ')}") from None
    except ValueError as error:
        raise ServiceError(str(error)) from None


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
