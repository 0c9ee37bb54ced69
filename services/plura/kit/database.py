"""How the services reach PostgreSQL: address, timeouts, pool, role."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, LiteralString

from psycopg import AsyncConnection, Connection, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool
from pydantic import Field, SecretStr, field_validator

from plura.kit.embedded_postgres import EmbeddedPostgres
from plura.kit.environment import ServiceSettings
from plura.kit.settings import PROJECT_DIR
from plura.kit.tokens import azure_tokens

_AZURE_SCOPE = "https://ossrdbms-aad.database.windows.net/.default"

_RECONNECT_SECONDS = 2.0
"""After this the pool waits for the next request to try again, instead of twice as long after each failure."""


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

    database_url: SecretStr | None = Field(default=None, description="PostgreSQL; unset: an embedded one.")
    pg_dir: Path = Field(default=Path("data/pg"), description="Folder of the embedded PostgreSQL.")
    db_sign_in: Literal["password", "azure"] = Field(
        default="password", description="azure: a token of Microsoft Entra ID takes the place of the password."
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
        """Take the driver's name of SQLAlchemy's addresses away."""
        if given is None:
            return None
        text = given.get_secret_value().replace("postgresql+psycopg://", "postgresql://", 1)
        if not text.startswith(("postgresql://", "postgres://")):
            raise ValueError("PLURA_DATABASE_URL has to begin with postgresql://")
        return SecretStr(text)


class Database:
    """A PostgreSQL that connections are made to; without an address in the settings the embedded one is started."""

    def __init__(self, settings: DatabaseSettings) -> None:
        """Find the database.

        Raises:
            EmbeddedPostgresError: no address is set, and the embedded PostgreSQL cannot be started.
            ServiceError: tokens are asked for, and the package that gets them is not installed.
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
        """Address without a secret, for messages."""
        parts = conninfo_to_dict(self._url)
        return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"

    def connect(self, application: str, role: LiteralString | None = None, **overrides: int) -> Connection[TupleRow]:
        """Return a connection in autocommit; ``overrides`` are settings named ``db_…``.

        Raises:
            psycopg.Error: the database cannot be reached, or the role cannot be taken.
        """
        connection = Connection.connect(self._url, **self._arguments(application, overrides))
        if role is not None:
            connection.execute(_set_role(role))
        return connection

    def async_pool(
        self, application: str, role: LiteralString, **overrides: int
    ) -> AsyncConnectionPool[AsyncConnection[TupleRow]]:
        """Return a closed pool of asynchronous connections that act as ``role``."""

        async def prepare(connection: AsyncConnection[TupleRow]) -> None:
            await connection.execute(_set_role(role))

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

    def _arguments(self, application: str, overrides: Mapping[str, int]) -> dict[str, Any]:
        """Arguments of a new connection: every limit is explicit, so that none depends on the server's defaults."""
        limits = self.settings.model_dump(
            include={name for name in type(self.settings).model_fields if "_timeout" in name}
        )
        limits.update(overrides)
        options = {
            "statement_timeout": limits["db_statement_timeout_ms"],
            "lock_timeout": limits["db_lock_timeout_ms"],
            "idle_in_transaction_session_timeout": limits["db_idle_in_transaction_timeout_ms"],
            # offsets are committed and lookups answered once their rows are written: those have to outlive a crash
            "synchronous_commit": "on",
            "TimeZone": "UTC",
        }
        arguments: dict[str, Any] = {
            "autocommit": True,
            "application_name": application,
            "connect_timeout": limits["db_connect_timeout"],
            "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
            "keepalives": 1,
            "keepalives_idle": 30,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
        }
        if self._token is not None:
            arguments["password"] = self._token()
        return arguments


def _set_role(role: LiteralString) -> sql.Composed:
    return sql.SQL("set role {}").format(sql.Identifier(role))
