"""The API while its database is away, and ``plura tx api`` as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psycopg
import pytest

from dev.servers.identity import AUDIENCE, ISSUER, Provider, token
from plura.kit.migrations import migrate
from plura.tx.db import SCHEMA, bo_migrations
from tests.admin_api import auth_settings, ledger, running
from tests.commands import COMMAND
from tests.postgres import TestDatabase, create_database, running_server


def test_an_outage_is_reported_soon_and_ends_soon(identity: Provider) -> None:
    with running_server() as server:
        create_database(server, "away", template="template0")
        database = TestDatabase(server=server, name="away")
        with running(database, auth_settings(identity)) as api:
            ready = api.get("/readyz")
            assert (ready.status_code, ready.json()["database"], ready.json()["migrations"]) == (503, False, False)
            with psycopg.connect(database.url) as connection:
                migrate(connection, SCHEMA, bo_migrations())
            ledger(database, "t-1")
            assert api.get("/admin/tx/t-1").status_code == 200
            time.sleep(1.1)  # a readiness is reused for a second
            assert api.get("/readyz").json()["status"] == "ready"

            server.stop("immediate")
            started = time.monotonic()
            assert api.get("/admin/tx/t-1").status_code == 503
            assert time.monotonic() - started < 6
            assert api.get("/readyz").status_code == 503
            assert api.get("/healthz").status_code == 200

            server.start()
            started = time.monotonic()
            while (status := api.get("/admin/tx/t-1").status_code) != 200:
                assert status == 503
                assert time.monotonic() - started < 10
            assert {api.get("/admin/tx/t-1").status_code for _ in range(20)} == {200}


REFUSING = """
create function bo.refuse_rows() returns trigger language plpgsql as
$$ begin raise exception 'no room' using errcode = 'disk_full'; end $$;
create trigger refuse_rows before insert on bo.admin_audit_logs for each row execute function bo.refuse_rows()
"""


def test_an_audit_that_takes_no_row_is_not_ready(bo: TestDatabase, identity: Provider) -> None:
    """A full disk shows only when a row is written; a trigger stands for it."""
    ledger(bo, "t-1")

    def wait_for(status: int) -> None:
        deadline = time.monotonic() + 15
        while api.get("/readyz").status_code != status:
            assert time.monotonic() < deadline, api.get("/readyz").json()
            time.sleep(0.2)

    with running(bo, auth_settings(identity)) as api:
        assert api.get("/readyz").json()["recording"] is True
        bo.sql(REFUSING)
        assert api.get("/admin/tx/t-1").status_code == 503
        wait_for(503)
        assert api.get("/readyz").json()["recording"] is False
        bo.sql("drop trigger refuse_rows on bo.admin_audit_logs")
        wait_for(200)
        assert api.get("/admin/tx/t-1").status_code == 200
    assert bo.sql("select count(*) from bo.admin_audit_logs where request_path = '/readyz'") == [(0,)]


def test_a_schema_of_another_version_is_not_ready(bo: TestDatabase, identity: Provider) -> None:
    bo.sql("update bo.schema_migrations set digest = 'other' where number = 2")
    with running(bo, auth_settings(identity)) as api:
        ready = api.get("/readyz")
        assert (ready.status_code, ready.json()["database"], ready.json()["migrations"]) == (503, True, False)


def test_an_upgrade_of_the_schema_leaves_running_processes_ready(bo: TestDatabase, identity: Provider) -> None:
    with running(bo, auth_settings(identity)) as api:
        bo.sql("insert into bo.schema_migrations (number, name, digest) values (9999, 'next', 'x')")
        ready = api.get("/readyz")
        assert (ready.status_code, ready.json()["migrations"]) == (200, True)


@pytest.mark.parametrize(
    ("position", "end", "oldest", "polled", "fresh"),
    [
        (10, 10, "1 hour", "1 second", (0, 0)),  # idle source: caught up, whatever the age of the last event
        (10, 12, "30 seconds", "1 second", (30, 40)),  # behind
        (10, 10, "40 seconds", "20 seconds", (40, 50)),  # dead consumer
        (10, 10, None, "20 seconds", (20, 30)),  # dead consumer, nothing known to be waiting
    ],
)
def test_freshness_is_reported_and_never_fails_readiness(
    bo: TestDatabase,
    identity: Provider,
    position: int,
    end: int,
    oldest: str | None,
    polled: str,
    fresh: tuple[int, int],
) -> None:
    bo.sql(
        "insert into bo.consumer_state (group_id, topic, partition, member, position, end_offset,"
        " oldest_uncommitted_at, polled_at) values ('g', 'ledger', 0, 'm', %s, %s, now() - %s::interval,"
        " now() - %s::interval)",
        (position, end, oldest, polled),
    )
    with running(bo, auth_settings(identity)) as api:
        ready = api.get("/readyz")
        assert ready.status_code == 200
        (freshness,) = ready.json()["freshness"]
        assert freshness["topic"] == "ledger"
        assert fresh[0] <= freshness["freshness_seconds"] <= fresh[1]


def test_metrics_carry_the_names_and_the_routes(bo: TestDatabase, identity: Provider) -> None:
    bo.sql(
        "insert into bo.consumer_state (group_id, topic, partition, member, position, end_offset, polled_at)"
        " values ('g', 'ledger', 0, 'm', 1, 1, now())"
    )
    with running(bo, auth_settings(identity)) as api:
        api.get("/admin/tx/t/with/slashes")
        api.get("/admin/wallets/w/tx")
        api.get("/nothing/42")
        api.client.request("BREW", "/admin/tx/t")
        answered = api.get("/metrics")
    text = answered.text
    assert answered.headers["content-type"].startswith("text/plain; version=")
    for line in (
        'api_requests_total{method="GET",route="/admin/tx/{tx_id}",status_code="404"} 1.0',
        'api_requests_total{method="GET",route="/admin/wallets/{wallet_id}/tx",status_code="200"} 1.0',
        'api_requests_total{method="GET",route="unmatched",status_code="404"} 1.0',
        'api_request_latency_seconds_count{method="GET",route="/admin/tx/{tx_id}",status_code="404"} 1.0',
        'api_requests_inflight{method="GET",route="/admin/tx/{tx_id}"} 0.0',
        'db_queries_total{operation="tx",success="true",table="ledger_entries"} 1.0',
        "db_pool_size 5.0",
        "db_pool_max_size 15.0",
        'consumer_freshness_seconds{topic="ledger"} 0.0',
        "db_pool_checked_out 0.0",
        "db_replication_lag_seconds NaN",
    ):
        assert line in text.splitlines(), line
    for name in ("db_pool_checkout_latency_seconds_count ", "db_pool_overflow ", "db_pool_checked_in "):
        assert any(line.startswith(name) for line in text.splitlines()), name
    assert "42" not in "".join(line for line in text.splitlines() if "route=" in line and "/nothing" in line)


# The command


@contextmanager
def command(database: TestDatabase, identity: Provider, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``plura tx api`` on a free port, and its address."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PLURA_")} | {
        "PLURA_DATABASE_URL": database.url,
        "AUTH_ISSUER": ISSUER,
        "PLURA_AUTH_AUDIENCE": AUDIENCE,
        "PLURA_AUTH_JWKS_URL": identity.jwks_url,
        "NO_COLOR": "1",
    }
    process = subprocess.Popen(
        [*COMMAND, "tx", "api", "--port", "0", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on http://"), line
        yield process, line.removeprefix("listening on ").strip()
    finally:
        process.kill()
        process.communicate()


def test_the_command_serves_until_it_is_stopped(bo: TestDatabase, identity: Provider) -> None:
    ledger(bo, "t-1")
    with command(bo, identity) as (process, url):
        answered = httpx.get(f"{url}/admin/tx/t-1", headers={"Authorization": f"Bearer {token()}"}, timeout=20)
        assert answered.status_code == 200
        process.send_signal(signal.SIGTERM)
        _, logged = process.communicate(timeout=20)
        assert process.returncode == 0
    for line in logged.splitlines():
        assert set(json.loads(line)) >= {"time", "level", "logger", "event", "correlation_id"}


def test_requests_at_work_are_finished_after_sigterm(bo: TestDatabase, identity: Provider) -> None:
    ledger(bo, "t-1")
    with psycopg.connect(bo.url) as blocker, command(bo, identity) as (process, url):
        host, port = url.removeprefix("http://").split(":")
        httpx.get(f"{url}/readyz", timeout=20)
        blocker.execute("lock table bo.admin_audit_logs in access exclusive mode")
        with socket.create_connection((host, int(port)), timeout=20) as line:
            line.sendall(f"GET /admin/tx/t-1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token()}\r\n\r\n".encode())
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            blocker.rollback()
            assert line.recv(65_536).startswith(b"HTTP/1.1 200 OK")
        process.communicate(timeout=20)
        assert process.returncode == 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "PLURA_AUTH_MODE=oidc needs PLURA_AUTH_ISSUER, PLURA_AUTH_AUDIENCE, PLURA_AUTH_JWKS_URL"),
        (
            {"AUTH_MODE": "disabled", "PLURA_APP_ENV": "prod"},
            "PLURA_AUTH_MODE=disabled is refused with PLURA_APP_ENV=prod",
        ),
        ({"AUTH_MODE": "disabled", "PLURA_AUTH_MODE": "oidc"}, "PLURA_AUTH_MODE and AUTH_MODE differ: set one of them"),
        ({"AUTH_MODE": "off"}, "PLURA_AUTH_MODE: Input should be 'oidc' or 'disabled'"),
    ],
)
def test_wrong_settings_stop_the_start_with_a_line(bo: TestDatabase, settings: dict[str, str], said: str) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PLURA_")}
    ended = subprocess.run(
        [*COMMAND, "tx", "api", "--port", "0"],
        env={**clean, "NO_COLOR": "1", "PLURA_DATABASE_URL": bo.url, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr == f"error: {said}\n"


def test_a_port_in_use_is_reported(bo: TestDatabase) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PLURA_")}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = subprocess.run(
            [*COMMAND, "tx", "api", "--port", str(taken.getsockname()[1])],
            env={**clean, "NO_COLOR": "1", "PLURA_DATABASE_URL": bo.url, "AUTH_MODE": "disabled"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1
    assert "Address already in use" in ended.stderr.splitlines()[-1]
