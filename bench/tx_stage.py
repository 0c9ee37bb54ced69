"""What the transaction service is measured on: a PostgreSQL and a broker of its own, commands as processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from bench.http_load import Connection as HttpConnection
from bench.measuring import cpu_seconds
from dev.servers.identity import AUDIENCE, ISSUER, Provider, claims, jwk, jwks, provider, rsa_key, token
from dev.servers.kafka import Broker, kafka_jars
from plura.kit.embedded_postgres import EmbeddedPostgres
from plura.kit.migrations import migrate
from plura.kit.queries import read_queries
from plura.tx.db import SCHEMA, bo_migrations

PLURA = str(Path(sys.executable).with_name("plura"))
_ROWS = read_queries("bench", "tx_rows.sql")
_TABLES: tuple[LiteralString, ...] = ("ledger_entries", "payment_orders", "payment_ledger_pairs")
_START_SECONDS = 60

SERVER_SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "8GB", "maintenance_work_mem": "512MB"}
"""What is set of the server beyond PostgreSQL's defaults; commits wait for the disk as they do by default."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A running PostgreSQL below ``folder``, and where commands find what they need."""

    folder: Path
    server: EmbeddedPostgres

    def fresh_database(self) -> str:
        """Make a migrated database without rows and return its name."""
        name = f"bench_{uuid4().hex[:8]}"
        self._as_owner(sql.SQL("create database {}").format(sql.Identifier(name)))
        with self.connect(name) as connection:
            migrate(connection, SCHEMA, bo_migrations())
        return name

    def filled_database(self, entries: int) -> str:
        """Return a database with so many ledger entries, their orders and pairs; one that is there is used again."""
        migrations = md5(
            "".join(migration.digest for migration in bo_migrations()).encode(), usedforsecurity=False
        ).hexdigest()
        name = f"rows_{entries}_{migrations[:8]}"
        if not self._one("postgres", "select count(*) from pg_database where datname = %s", name):
            made = self.fresh_database()
            with self.connect(made) as connection:
                fill(connection, entries)
                connection.execute("vacuum analyze")
            self._as_owner(sql.SQL("alter database {} rename to {}").format(sql.Identifier(made), sql.Identifier(name)))
        with self.connect(name) as connection:
            connection.execute("truncate bo.admin_audit_logs")
            connection.execute("checkpoint")
        return name

    def drop(self, database: str) -> None:
        """Remove a database."""
        self._as_owner(sql.SQL("drop database {} with (force)").format(sql.Identifier(database)))

    def connect(self, database: str) -> Connection[TupleRow]:
        """Return a connection of the owner in autocommit."""
        return psycopg.connect(self.server.url_of(database), autocommit=True)

    def count(self, database: str, table: LiteralString) -> int:
        """Rows of a table."""
        return int(self._one(database, sql.SQL("select count(*) from bo.{}").format(sql.Identifier(table))))

    def environment(self, database: str) -> dict[str, str]:
        """Environment of the commands."""
        return {"PLURA_DATABASE_URL": self.server.url_of(database), "PLURA_METRICS_PORT": "0", "NO_COLOR": "1"}

    def server_cpu_s(self) -> float:
        """Processor seconds of the server so far: of all its processes, the ended ones too."""
        postmaster = int((self.server.folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
        return cpu_seconds(postmaster, with_children=True)

    def _one(self, database: str, statement: sql.Composed | LiteralString, *parameters: Any) -> Any:
        with self.connect(database) as connection:
            row = connection.execute(statement, parameters).fetchone()
        assert row is not None
        return row[0]

    def _as_owner(self, statement: sql.Composed) -> None:
        with self.connect("postgres") as connection:
            connection.execute(statement)


def fill(connection: Connection[TupleRow], entries: int) -> None:
    """Fill empty tables with the rows that so many ledger events and their order events leave, all at once.

    Keys and indexes are taken away before and built again afterwards, which is several times as fast.
    """
    for table in _TABLES:
        with connection.transaction():
            indexes = connection.execute(_ROWS["indexes"], {"table": table}).fetchall()
            for dropping, _ in indexes:
                connection.execute(dropping)
            connection.execute(_ROWS[table], {"entries": entries})
            for _, making in indexes:
                connection.execute(making)


@contextmanager
def running_stage(folder: Path) -> Iterator[Stage]:
    """Run PostgreSQL until the block ends; its data stay for the next time."""
    server = EmbeddedPostgres(folder / "pg", **SERVER_SETTINGS)
    server.start()
    try:
        yield Stage(folder=folder, server=server)
    finally:
        server.stop()


@contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    """Run a broker without messages until the block ends."""
    broker = Broker(work=folder / f"kafka-{uuid4().hex[:8]}", jars=kafka_jars())
    broker.format()
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
        broker.remove()


@dataclass(frozen=True, kw_only=True)
class Api:
    """A running API, and the headers of a request that it believes."""

    process: subprocess.Popen[str]
    port: int
    headers: str

    def cpu_s(self) -> float:
        """Processor seconds so far."""
        return cpu_seconds(self.process.pid)


@contextmanager
def running_api(stage: Stage, database: str) -> Iterator[Api]:
    """Run ``plura tx api`` with one worker until the block ends; tokens are RS256 and their keys come from a JWKS."""
    with provider(jwks(jwk(rsa_key("bench"), "bench"))) as identities:
        environment = stage.environment(database) | _sign_in(identities)
        with started([PLURA, "tx", "api", "--port", "0"], environment) as process:
            port = _port(process)
            bearer = token(claims(exp=int(time.time()) + 86_400), key=rsa_key("bench"), kid="bench")
            headers = f"Authorization: Bearer {bearer}\r\nUser-Agent: bench\r\n"
            wait_until_ready(port)
            yield Api(process=process, port=port, headers=headers)


def _sign_in(identities: Provider) -> dict[str, str]:
    return {
        "PLURA_AUTH_ISSUER": ISSUER,
        "PLURA_AUTH_AUDIENCE": AUDIENCE,
        "PLURA_AUTH_JWKS_URL": identities.jwks_url,
    }


def _port(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    for line in process.stdout:
        if "listening on" in line:
            return int(line.rsplit(":", 1)[1])
    raise RuntimeError("the API did not start")


def wait_until_ready(port: int) -> None:
    """Wait until a service says that it is ready.

    Raises:
        RuntimeError: it does not within a minute.
    """
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            status, said = HttpConnection(port, "").get("/readyz")
        except OSError as error:
            status, said = 0, str(error).encode()
        if status == 200:  # noqa: PLR2004  # OK
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"not ready: {said!r}")
        time.sleep(0.1)


@contextmanager
def started(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a command while the block runs, and stop it then.

    Raises:
        RuntimeError: it failed; the text holds the end of its log.
    """
    with tempfile.TemporaryFile(mode="w+", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=_START_SECONDS)
        if process.returncode:
            log.seek(0)
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {log.read()[-2000:]}")
