"""Connections to PostgreSQL: address, timeouts, pool, role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, LiteralString

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool
from pydantic import Field, SecretStr, field_validator

from plura.kit.azure_tokens import azure_tokens
from plura.kit.database_address import read_address
from plura.kit.embedded_postgres import EmbeddedPostgres
from plura.kit.errors import ServiceError
from plura.kit.lake_settings import PROJECT_DIR
from plura.kit.service_settings import ServiceSettings

_AZURE_SCOPE = "https://ossrdbms-aad.database.windows.net/.default"

_SHOWN: LiteralString = "union all select 'transaction_read_only', current_setting('transaction_read_only')"
_GIVEN: LiteralString = "from unnest(%(names)s::text[], %(values)s::text[]) as given (name, value)"
_SET: LiteralString = f"select name, set_config(name, value, false) {_GIVEN} {_SHOWN}"
_SHOW: LiteralString = f"select name, current_setting(name) {_GIVEN} {_SHOWN}"

_RECONNECT_SECONDS = 2.0
"""The pool retries for this time, then waits for the next request, instead of doubling the pause forever."""


class DatabaseSettings(ServiceSettings):
    """Settings of PostgreSQL clients, from environment variables with the prefix ``PLURA_``."""

    bare_names: ClassVar[dict[str, str]] = {
        "database_url": "DATABASE_URL",
        "db_pool_size": "DB_POOL_SIZE",
        "db_max_overflow": "DB_MAX_OVERFLOW",
        "db_pool_timeout": "DB_POOL_TIMEOUT",
        "db_pool_recycle": "DB_POOL_RECYCLE",
        "db_slow_query_ms": "DB_SLOW_QUERY_MS",
    }

    database_url: SecretStr | None = Field(default=None, description="Address of PostgreSQL; unset: embedded.")
    pg_dir: Path = Field(default=Path("data/pg"), description="Folder of the embedded PostgreSQL.")
    db_sign_in: Literal["password", "azure"] = Field(
        default="password", description="azure: a token of Microsoft Entra ID takes the place of the password."
    )
    db_pooler: Literal["none", "transaction"] = Field(
        default="none", description="transaction: a pooler like PgBouncer lends a connection for one transaction."
    )
    db_pool_size: int = Field(default=5, ge=1, description="Connections kept open.")
    db_max_overflow: int = Field(default=10, ge=0, description="Further connections under load.")
    db_pool_timeout: float = Field(default=30, gt=0, description="Seconds to wait for a connection.")
    db_pool_recycle: float = Field(default=1800, gt=0, description="Seconds after which a connection is replaced.")
    db_slow_query_ms: int = Field(default=200, ge=0, description="Statements that take longer are logged; 0: none.")
    db_connect_timeout: int = Field(default=5, ge=2, description="Seconds for a connection to be made.")
    db_statement_timeout_ms: int = Field(default=10_000, ge=0, description="Longest statement; 0: no limit.")
    db_lock_timeout_ms: int = Field(default=5_000, ge=0, description="Longest wait for a lock; 0: no limit.")
    db_idle_in_transaction_timeout_ms: int = Field(
        default=30_000, ge=0, description="Longest pause inside a transaction; 0: no limit."
    )

    @field_validator("database_url")
    @classmethod
    def _address(cls, given: SecretStr | None) -> SecretStr | None:
        """Read the address; an error holds nothing of it."""
        return None if given is None else SecretStr(read_address(given.get_secret_value()))


class Database:
    """The PostgreSQL of the settings; without an address, the embedded server is started."""

    def __init__(self, settings: DatabaseSettings) -> None:
        """Resolve the address; start the embedded server if needed.

        Raises:
            EmbeddedPostgresError: no address is set, and the embedded PostgreSQL cannot be started.
            ServiceError: sign-in by token is configured, and its package is not installed.
        """
        self.settings = settings
        if settings.database_url is None:
            folder = settings.pg_dir if settings.pg_dir.is_absolute() else PROJECT_DIR / settings.pg_dir
            embedded = EmbeddedPostgres(folder)
            embedded.use()
            self._url = embedded.url
        else:
            self._url = settings.database_url.get_secret_value()
        self._token = azure_tokens(_AZURE_SCOPE) if settings.db_sign_in == "azure" else None

    @property
    def where(self) -> str:
        """Host, port and database, without secrets, for messages."""
        parts = conninfo_to_dict(self._url)
        return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"

    def connect(self, application: str, role: LiteralString | None = None, **overrides: int) -> Connection[TupleRow]:
        """Return a connection in autocommit mode; ``overrides`` are settings named ``db_…``.

        Raises:
            ServiceError: the settings name a pooler in transaction mode.
            psycopg.Error: the database cannot be reached, or the role cannot be taken.
        """
        if self.settings.db_pooler == "transaction":
            raise ServiceError(
                "PLURA_DB_POOLER=transaction is for plura tx api; the other commands need PostgreSQL itself, or a"
                " pooler in session mode"
            )
        connection = Connection.connect(self._url, **self._arguments(application, overrides))
        try:
            connection.execute(_SET, self._session(role, overrides, {}))
        except psycopg.Error:
            connection.close()
            raise
        return connection

    def async_pool(
        self, application: str, role: LiteralString, more: Mapping[str, str] | None = None, **overrides: int
    ) -> AsyncConnectionPool[AsyncConnection[TupleRow]]:
        """Return a closed pool of asynchronous connections that act as ``role`` and can write.

        ``more`` are further session settings, as PostgreSQL shows them; ``overrides`` are settings named ``db_…``. A
        read-only server, like a demoted primary, counts as unreachable. Behind a pooler in transaction mode, settings
        belong to the database user; all of them except timeouts are checked.
        """
        session = self._session(role, overrides, more or {})
        is_lent = self.settings.db_pooler == "transaction"

        async def prepare(connection: AsyncConnection[TupleRow]) -> None:
            try:
                cursor = await connection.execute(_SHOW if is_lent else _SET, session)
                _require(dict(await cursor.fetchall()), session)
            except psycopg.Error:
                await connection.close()
                raise

        async def arguments() -> dict[str, Any]:
            return self._arguments(application, overrides)

        return AsyncConnectionPool(
            self._url, kwargs=arguments, configure=prepare, reconnect_timeout=_RECONNECT_SECONDS, **self._limits()
        )

    def _limits(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "min_size": settings.db_pool_size,
            "max_size": settings.db_pool_size + settings.db_max_overflow,
            "timeout": settings.db_pool_timeout,
            "max_lifetime": settings.db_pool_recycle,
            "open": False,
            "name": "plura",
        }

    def _timeouts(self, overrides: Mapping[str, int]) -> dict[str, Any]:
        settings = self.settings
        timeouts = settings.model_dump(include={name for name in type(settings).model_fields if "_timeout" in name})
        return {**timeouts, **overrides}

    def _session(
        self, role: LiteralString | None, overrides: Mapping[str, int], more: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return the session settings of a new connection; every limit is explicit, independent of server defaults.

        They are set after the login: a pooler would reject or drop them as startup options.
        """
        timeouts = self._timeouts(overrides)
        settings = {
            "statement_timeout": f"{timeouts['db_statement_timeout_ms']}ms",
            "lock_timeout": f"{timeouts['db_lock_timeout_ms']}ms",
            "idle_in_transaction_session_timeout": f"{timeouts['db_idle_in_transaction_timeout_ms']}ms",
            # offsets are committed and lookups answered after their rows are written, which have to survive a crash
            "synchronous_commit": "on",
            "TimeZone": "UTC",
            **more,
        }
        if role is not None:
            settings["role"] = role
        return {"names": list(settings), "values": list(settings.values())}

    def _arguments(self, application: str, overrides: Mapping[str, int]) -> dict[str, Any]:
        """Return the arguments of a new connection."""
        arguments: dict[str, Any] = {
            "autocommit": True,
            "application_name": application,
            "connect_timeout": self._timeouts(overrides)["db_connect_timeout"],
            "keepalives": 1,
            "keepalives_idle": 30,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
        }
        if self.settings.db_pooler == "transaction":
            arguments["prepare_threshold"] = (
                None  # no prepared statements: the next transaction may use a different server connection
            )
        if self._token is not None:
            arguments["password"] = self._token()
        return arguments


def _require(found: Mapping[str, str], expected: Mapping[str, Sequence[str]]) -> None:
    """Check a new connection.

    Raises:
        psycopg.OperationalError: the connection is read-only, or a setting has a different value. The latter happens
            behind a pooler only, where settings belong to the database user.
    """
    if found["transaction_read_only"] == "on":
        raise psycopg.OperationalError("the server is read-only")
    for name, value in zip(expected["names"], expected["values"], strict=True):
        if found[name] != value and not name.endswith("_timeout"):
            raise psycopg.OperationalError(
                f"{name} is {found[name]!r}: behind a pooler in transaction mode the database user needs"
                f" alter role … set {name} = '{value}'"
            )
