"""The API after a failover: a connection to a server that became read-only or went away is given up at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from dev.servers.identity import Provider
from plura.kit.embedded_postgres import EmbeddedPostgres
from plura.kit.migrations import migrate
from plura.kit.statements import _UNUSABLE
from plura.tx.db import SCHEMA, bo_migrations
from tests.admin_api import AdminApi, auth_settings, ledger, running
from tests.postgres import TestDatabase, create_database, running_server
from tests.postgres_failover import (
    MovingAddress,
    hot_standby,
    moving_address,
    promote,
    set_read_only,
    wait_for_replay,
)

PATIENCE_SECONDS = 10


@pytest.fixture
def primary() -> Iterator[EmbeddedPostgres]:
    """A server of its own, with a migrated database and an entry in it."""
    with running_server() as server:
        create_database(server, "payments", template="template0")
        database = TestDatabase(server=server, name="payments")
        with psycopg.connect(database.url) as connection:
            migrate(connection, SCHEMA, bo_migrations())
        ledger(database, "t-1")
        yield server


@pytest.fixture
def address(primary: EmbeddedPostgres) -> Iterator[MovingAddress]:
    with moving_address(primary) as address:
        yield address


@pytest.fixture
def api(address: MovingAddress, identity: Provider) -> Iterator[AdminApi]:
    """The API with a pool full of used connections."""
    with running(address.database("payments"), auth_settings(identity)) as api:
        assert set(lookups(api, 40)) == {200}
        yield api


def lookups(api: AdminApi, number: int) -> list[int]:
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda _: api.get("/admin/tx/t-1").status_code, range(number)))


def recovered(api: AdminApi) -> float:
    """Seconds until lookups are answered again, and by all connections."""
    started = time.monotonic()
    while (status := api.get("/admin/tx/t-1").status_code) != 200:
        assert status == 503
        assert time.monotonic() - started < PATIENCE_SECONDS
    seconds = time.monotonic() - started
    assert set(lookups(api, 60)) == {200}
    return seconds


def ready(api: AdminApi) -> tuple[int, bool]:
    time.sleep(1.1)  # a readiness is reused for a second
    answered = api.get("/readyz")
    assert api.get("/healthz").status_code == 200
    return answered.status_code, answered.json()["recording"]


def test_after_a_failover_lookups_go_to_the_new_primary(
    primary: EmbeddedPostgres, address: MovingAddress, api: AdminApi
) -> None:
    with hot_standby(primary) as standby:
        wait_for_replay(primary, standby)
        set_read_only(primary, is_on=True)  # the old primary lives on, and so do the connections to it
        address.target = standby
        promote(standby)
        recovered(api)
        assert ready(api) == (200, True)
        written = "select count(*) from bo.admin_audit_logs where audit_id > 40"
        assert [row for row in address.database("payments").sql(written) if row[0] >= 61]
        left = "select count(*) from pg_stat_activity where application_name = 'plura-tx-api'"
        deadline = time.monotonic() + PATIENCE_SECONDS
        with psycopg.connect(primary.url, autocommit=True) as connection:
            while connection.execute(left).fetchone() != (0,):
                assert time.monotonic() < deadline, "connections to the old primary are kept"
                time.sleep(0.05)


def test_an_address_with_both_servers_finds_the_new_primary(primary: EmbeddedPostgres, identity: Provider) -> None:
    with hot_standby(primary) as standby:

        class Either(TestDatabase):
            __test__ = False

            @property
            def url(self) -> str:
                hosts = f"{primary._socket_folder},{standby._socket_folder}"
                return f"postgresql://postgres@/payments?host={hosts}&target_session_attrs=read-write"

        with running(Either(server=primary, name="payments"), auth_settings(identity)) as api:
            assert set(lookups(api, 40)) == {200}
            wait_for_replay(primary, standby)
            set_read_only(primary, is_on=True)
            promote(standby)
            recovered(api)
            assert ready(api) == (200, True)


def test_while_nothing_can_be_recorded_nothing_is_ready(primary: EmbeddedPostgres, api: AdminApi) -> None:
    assert ready(api) == (200, True)
    set_read_only(primary, is_on=True)
    started = time.monotonic()
    assert api.get("/admin/tx/t-1").status_code == 503
    assert time.monotonic() - started < 6
    assert ready(api) == (503, False)
    set_read_only(primary, is_on=False)
    recovered(api)
    assert ready(api) == (200, True)


def test_a_read_only_server_is_not_flooded_with_connections(primary: EmbeddedPostgres, api: AdminApi) -> None:
    def sessions() -> int:
        ((found,),) = api.database.sql("select sessions from pg_stat_database where datname = 'payments'")
        return int(found)

    def look(_: int) -> None:
        deadline = time.monotonic() + 6
        while time.monotonic() < deadline:
            assert api.get("/admin/tx/t-1").status_code == 503

    set_read_only(primary, is_on=True)
    before = sessions()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(look, range(8)))
    time.sleep(1)  # sessions are counted when they end
    assert sessions() - before < 60


def test_a_standby_alone_is_never_ready_until_it_is_promoted(primary: EmbeddedPostgres, identity: Provider) -> None:
    with hot_standby(primary) as standby, moving_address(standby) as address:
        wait_for_replay(primary, standby)
        with running(address.database("payments"), auth_settings(identity)) as api:
            assert ready(api) == (503, False)
            assert api.get("/admin/tx/t-1").status_code == 503
            promote(standby)
            recovered(api)
            assert ready(api) == (200, True)


def _terminate(server: EmbeddedPostgres, _: MovingAddress) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'plura-tx-api'"
        )


def _reset(_: EmbeddedPostgres, address: MovingAddress) -> None:
    address.reset()


def _restart(server: EmbeddedPostgres, _: MovingAddress) -> None:
    server.stop("fast")
    server.start()


@pytest.mark.parametrize("break_off", [_terminate, _reset, _restart])
def test_broken_connections_cause_no_error(
    primary: EmbeddedPostgres,
    address: MovingAddress,
    api: AdminApi,
    break_off: Callable[[EmbeddedPostgres, MovingAddress], None],
) -> None:
    break_off(primary, address)
    assert set(lookups(api, 60)) == {200}
    assert ready(api) == (200, True)


def test_connections_that_are_broken_off_at_work_are_replaced_soon(
    primary: EmbeddedPostgres, address: MovingAddress, api: AdminApi
) -> None:
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(lookups, api, 400)
        for _ in range(5):
            _terminate(primary, address)
            time.sleep(0.05)
        assert set(busy.result()) <= {200, 503}
    assert recovered(api) < 5


@pytest.mark.parametrize(
    "statement",
    [
        "revoke insert on bo.admin_audit_logs from bo_api",
        "alter table bo.admin_audit_logs rename to moved",
        "alter table bo.admin_audit_logs drop column user_agent",
        "alter role all set default_transaction_read_only = on",
    ],
)
def test_whatever_keeps_rows_out_makes_the_process_unready(
    primary: EmbeddedPostgres, api: AdminApi, statement: str
) -> None:
    with psycopg.connect(primary.url_of("payments"), autocommit=True) as connection:
        connection.execute(statement.encode())
        if "role" in statement:
            _terminate(primary, MovingAddress(target=primary))
    assert api.get("/admin/tx/t-1").status_code == 503
    assert ready(api) == (503, False)


def test_a_locked_audit_makes_the_process_unready(primary: EmbeddedPostgres, api: AdminApi) -> None:
    with psycopg.connect(primary.url_of("payments")) as connection:
        connection.execute("lock table bo.admin_audit_logs in access exclusive mode")
        assert ready(api) == (503, False)
    assert ready(api) == (200, True)


@pytest.mark.parametrize(
    ("error", "is_useless"),
    [
        (psycopg.errors.ReadOnlySqlTransaction, True),
        (psycopg.errors.AdminShutdown, True),
        (psycopg.errors.CrashShutdown, True),
        (psycopg.errors.CannotConnectNow, True),
        (psycopg.errors.ConnectionFailure, True),
        (psycopg.errors.ProtocolViolation, True),
        (psycopg.errors.QueryCanceled, False),
        (psycopg.errors.LockNotAvailable, False),
        (psycopg.errors.InsufficientPrivilege, False),
        (psycopg.errors.DiskFull, False),
    ],
)
def test_which_errors_make_a_connection_useless(error: type[psycopg.Error], *, is_useless: bool) -> None:
    assert error.sqlstate is not None
    assert error.sqlstate.startswith(_UNUSABLE) is is_useless
