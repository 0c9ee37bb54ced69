"""A real PgBouncer between the processes and PostgreSQL, in both modes, set up as the documents say."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pytest

from dev.servers.identity import Provider, provider, token
from dev.servers.kafka import free_ports
from plura.kit.embedded_postgres import EmbeddedPostgres
from plura.kit.lake_settings import PROJECT_DIR
from plura.tx.api.app import _PLANNER, STATEMENT_TIMEOUT_MS
from plura.tx.db import API_ROLE
from tests.admin_api import auth_settings, ledger, running
from tests.commands import Plura
from tests.postgres import TestDatabase
from tests.spark import skip_or_fail

OPERATIONS = PROJECT_DIR / "docs" / "tx" / "operations.md"
CONFIGURATION = """
[databases]
* = host={sockets}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 200
server_login_retry = 1
"""


@dataclass(frozen=True, kw_only=True)
class Pooled(TestDatabase):
    """A database of the test server that is reached through PgBouncer, by a user who is no superuser."""

    port: int
    user: str = "tx_api"

    @property
    def url(self) -> str:
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/{self.name}"


@contextmanager
def pgbouncer(server: EmbeddedPostgres, mode: Literal["session", "transaction"], size: int) -> Iterator[int]:
    """Run PgBouncer and give its port; the test is skipped by name where the machine has none."""
    program = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
    if program is None:
        skip_or_fail("PgBouncer is tested by a real one: no pgbouncer on the path")
    assert program is not None
    (port,) = free_ports(1)
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    with TemporaryDirectory(prefix="plura-pgbouncer-") as folder:
        configuration = Path(folder) / "pgbouncer.ini"
        configuration.write_text(
            CONFIGURATION.format(sockets=server._socket_folder, port=port, folder=folder, mode=mode, size=size)
        )
        (Path(folder) / "users").write_text('"tx_api" ""\n"tx_consumer" ""\n"postgres" ""\n')
        Path(folder).chmod(0o755)
        process = subprocess.Popen(
            [program, "-q", configuration],
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )
        try:
            deadline = time.monotonic() + 10
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    assert process.poll() is None
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
            yield port
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def users(bo: TestDatabase) -> Iterator[None]:
    """Users as the documents make them."""
    bo.sql("drop role if exists tx_api")
    bo.sql("drop role if exists tx_consumer")
    bo.sql("create role tx_api login")
    bo.sql("grant bo_api, bo_audit to tx_api")
    bo.sql("create role tx_consumer login")
    bo.sql("grant bo_consumer to tx_consumer")
    yield
    for role in ("tx_api", "tx_consumer"):
        bo.sql(f"drop role {role}")


@pytest.fixture
def identity() -> Iterator[Provider]:
    with provider() as identity_provider:
        yield identity_provider


def documented() -> list[str]:
    lines = [line.strip() for line in OPERATIONS.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line.startswith("alter role tx_api set")]


@pytest.mark.usefixtures("users")
def test_the_api_works_with_a_pooler_in_transaction_mode(bo: TestDatabase, identity: Provider) -> None:
    for statement in documented():
        bo.sql(statement)
    bo.sql("alter table bo.admin_audit_logs add column written_by text default current_user")
    bo.sql("alter table bo.admin_audit_logs add column allowed text default current_setting('statement_timeout')")
    ledger(bo, "t-1")
    with pgbouncer(bo.server, "transaction", size=2) as port:
        pooled = Pooled(server=bo.server, name=bo.name, port=port)
        with running(pooled, auth_settings(identity), db_pooler="transaction") as api:
            auditor = token(roles=["ADMIN_AUDIT"])

            def look(number: int) -> int:
                path, bearer = ("/admin/audit?limit=1", auditor) if number % 5 == 0 else ("/admin/tx/t-1", "")
                return api.get(path, bearer=bearer).status_code

            with ThreadPoolExecutor(8) as pool:
                assert set(pool.map(look, range(200))) == {200}
            ready = api.get("/readyz").json()
            assert (ready["status"], ready["recording"]) == ("ready", True)
            rows = bo.sql("select written_by, allowed, count(*) from bo.admin_audit_logs group by 1, 2")
            assert rows == [("bo_api", "3s", 200)]
            assert str(api.get("/admin/tx/t-1").json()["event_time"]).endswith("Z")

            bo.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'tx_api'")
            with ThreadPoolExecutor(8) as pool:
                assert set(pool.map(look, range(40))) <= {200, 503}
            time.sleep(1)
            with ThreadPoolExecutor(8) as pool:
                assert set(pool.map(look, range(40))) == {200}


@pytest.mark.usefixtures("users")
@pytest.mark.parametrize("missing", ["role", "TimeZone", "enable_bitmapscan"])
def test_a_user_without_the_settings_is_named_and_nothing_is_ready(
    bo: TestDatabase, identity: Provider, missing: str, caplog: pytest.LogCaptureFixture
) -> None:
    bo.sql("alter role tx_api set timezone = 'Asia/Seoul'")
    for statement in documented():
        if f"set {missing} " not in statement:
            bo.sql(statement)
    with pgbouncer(bo.server, "transaction", size=2) as port:
        pooled = Pooled(server=bo.server, name=bo.name, port=port)
        with running(pooled, auth_settings(identity), db_pooler="transaction") as api:
            assert api.get("/readyz").status_code == 503
            assert api.get("/admin/tx/t-1").status_code == 503
    assert f"alter role … set {missing} = '" in "".join(record.getMessage() for record in caplog.records)


@pytest.mark.usefixtures("users")
def test_a_pooler_in_session_mode_needs_no_setting(bo: TestDatabase, identity: Provider, tmp_path: Path) -> None:
    ledger(bo, "t-1")
    with pgbouncer(bo.server, "session", size=20) as port:
        consumer = Pooled(server=bo.server, name=bo.name, port=port, user="tx_consumer")
        event = {"tx_id": "t-2", "wallet_id": "w", "entry_type": "PAYMENT", "amount": "1"}
        event["event_time"] = "2026-02-05T03:00:00Z"
        (tmp_path / "events.jsonl").write_text(json.dumps(event) + "\n")
        plura = Plura(work=tmp_path, settings={"PLURA_DATABASE_URL": consumer.url})
        outcome = plura("tx", "backfill", "--ledger-file", tmp_path / "events.jsonl")
        assert outcome.code == 0, outcome.err
        owner = Pooled(server=bo.server, name=bo.name, port=port, user="postgres")
        outcome = Plura(work=tmp_path, settings={"PLURA_DATABASE_URL": owner.url})("tx", "migrate")
        assert outcome.code == 0, outcome.err
        pooled = Pooled(server=bo.server, name=bo.name, port=port)
        with running(pooled, auth_settings(identity)) as api:
            assert [api.get(f"/admin/tx/t-{number}").status_code for number in (1, 2, 3)] == [200, 200, 404]
            assert api.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    "command", [("migrate",), ("backfill", "--ledger-file", "{file}"), ("replay-dlq",), ("consume",)]
)
def test_commands_that_need_a_session_refuse_a_pooler_in_transaction_mode(
    bo: TestDatabase, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "events.jsonl").write_text("{}\n")
    settings = {
        "PLURA_DATABASE_URL": bo.url,
        "PLURA_DB_POOLER": "transaction",
        "PLURA_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "PLURA_METRICS_PORT": "0",
    }
    level = logging.getLogger().level
    try:
        outcome = Plura(work=tmp_path, settings=settings)(
            "tx", *(word.format(file=tmp_path / "events.jsonl") for word in command)
        )
    finally:
        logging.getLogger().setLevel(level)
    assert outcome.code == 1
    assert "PLURA_DB_POOLER=transaction is for plura tx api" in outcome.err


def test_the_documented_settings_are_those_of_a_session(bo: TestDatabase) -> None:
    """What the documents let a database user have is what the API sets where no pooler is in between."""

    async def shown(names: list[str]) -> dict[str, str]:
        pool = bo.client().async_pool("test", API_ROLE, _PLANNER, db_statement_timeout_ms=STATEMENT_TIMEOUT_MS)
        async with pool, pool.connection() as connection:
            cursor = await connection.execute(
                "select name, current_setting(name) from unnest(%s::text[]) as given (name)", [names]
            )
            return dict(await cursor.fetchall())

    wanted = {}
    for statement in documented():
        name, _, value = statement.removeprefix("alter role tx_api set ").rstrip(";").partition(" = ")
        wanted[name.strip('"')] = value.strip("'")
    assert set(_PLANNER) <= set(wanted)
    assert asyncio.run(shown(list(wanted))) == wanted
