"""Who looked at what: one row for every lookup and every refusal, and no answer without its row."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from dev.servers.identity import Provider, token
from plura.tx.api.audit_context import AuditContext, Subject, client_address, masked_query
from plura.tx.api.denied_requests import MOST_ADDRESSES, DeniedRequestAudit, network_of
from plura.tx.api.errors import UnavailableError
from plura.tx.api.settings import ApiSettings
from tests.admin_api import AdminApi, auth_settings, ledger, order, payment, running
from tests.postgres import TestDatabase

AUDITOR: dict[str, Any] = {"roles": ["ADMIN_AUDIT"], "oid": "0f-auditor"}


def outcome(row: dict[str, Any]) -> tuple[Any, ...]:
    names = ("action", "resource_type", "resource_id", "result", "status_code", "result_count")
    return tuple(row[name] for name in names)


def test_each_lookup_leaves_the_row_of_the_contract(api: AdminApi) -> None:
    payment(api.database)
    order(api.database, "po-2")
    for path in (
        "/admin/tx/po-1-pay",
        "/admin/tx/none",
        "/admin/payment-orders/po-1",
        "/admin/payment-orders/po-1?limit=1",
        "/admin/payment-orders/po-2",
        "/admin/payment-orders/none",
        "/admin/wallets/w-payer/tx",
        "/admin/wallets/none/tx",
        "/admin/search?q=po-1",
        "/admin/search?q=none",
    ):
        api.get(path)
    assert [outcome(row) for row in api.audit()] == [
        ("ADMIN_TX_LOOKUP", "TX", "po-1-pay", "FOUND", 200, 1),
        ("ADMIN_TX_LOOKUP", "TX", "none", "NOT_FOUND", 404, 0),
        ("ADMIN_ORDER_LOOKUP", "PAYMENT_ORDER", "po-1", "FOUND", 200, 2),
        ("ADMIN_ORDER_LOOKUP", "PAYMENT_ORDER", "po-1", "FOUND", 200, 1),
        ("ADMIN_ORDER_LOOKUP", "PAYMENT_ORDER", "po-2", "FOUND", 200, 0),
        ("ADMIN_ORDER_LOOKUP", "PAYMENT_ORDER", "none", "NOT_FOUND", 404, 0),
        ("ADMIN_WALLET_TX_LOOKUP", "WALLET", "w-payer", "FOUND", 200, 1),
        ("ADMIN_WALLET_TX_LOOKUP", "WALLET", "none", "EMPTY", 200, 0),
        ("ADMIN_SEARCH", "ANY", "po-1", "FOUND", 200, 1),
        ("ADMIN_SEARCH", "ANY", "none", "EMPTY", 200, 0),
    ]


def test_a_row_says_who_asked_from_where_and_how(api: AdminApi) -> None:
    answered = api.get(
        "/admin/wallets/w-1/tx?limit=5&token=abc&x=%00&TOKEN=def",
        bearer=token(roles=["ADMIN_READ", "X"], oid="0f-1"),
        headers={"User-Agent": "check/1", "X-Correlation-ID": "corr-1"},
    )
    assert answered.headers["x-correlation-id"] == "corr-1"
    (row,) = api.audit()
    assert 0 <= row.pop("duration_ms") < 5000
    assert row == {
        "action": "ADMIN_WALLET_TX_LOOKUP",
        "resource_type": "WALLET",
        "resource_id": "w-1",
        "result": "EMPTY",
        "status_code": 200,
        "result_count": 0,
        "actor_id": "0f-1",
        "actor_roles": "ADMIN_READ,X",
        "request_method": "GET",
        "request_path": "/admin/wallets/w-1/tx",
        "request_query": "limit=5&token=%2A%2A%2A&x=%00&TOKEN=%2A%2A%2A",
        "ip": "127.0.0.1",
        "user_agent": "check/1",
        "correlation_id": "corr-1",
        "occurrences": 1,
    }


@pytest.mark.parametrize(
    ("path", "bearer", "expected"),
    [
        ("/admin/tx/t-1", None, ("ADMIN_TX_LOOKUP", "TX", "t-1", "UNAUTHENTICATED", 401, None)),
        ("/admin/payment-orders/o", "bad", ("ADMIN_ORDER_LOOKUP", "PAYMENT_ORDER", "o", "UNAUTHENTICATED", 401, None)),
        ("/admin/wallets/w/tx", "NO_ROLE", ("ADMIN_WALLET_TX_LOOKUP", "WALLET", "w", "FORBIDDEN", 403, None)),
        ("/admin/audit", "", ("ADMIN_AUDIT_LOOKUP", "AUDIT", None, "FORBIDDEN", 403, None)),
        ("/admin/search?q=", "", ("ADMIN_SEARCH", "ANY", "", "INVALID", 422, None)),
        ("/admin/tx/a%00b", "", ("ADMIN_TX_LOOKUP", "TX", "a\ufffdb", "INVALID", 422, None)),
        ("/admin/tx/t-1%0A", "", ("ADMIN_TX_LOOKUP", "TX", "t-1\ufffd", "INVALID", 422, None)),
        ("/admin/wallets/%0Aw/tx", "", ("ADMIN_WALLET_TX_LOOKUP", "WALLET", "\ufffdw", "INVALID", 422, None)),
        (
            "/admin/payment-orders/a%0Ab",
            None,
            ("ADMIN_ORDER_LOOKUP", "PAYMENT_ORDER", "a\ufffdb", "UNAUTHENTICATED", 401, None),
        ),
        ("/admin/wallets/w/tx?limit=0", "", ("ADMIN_WALLET_TX_LOOKUP", "WALLET", "w", "INVALID", 422, None)),
        ("/admin/payment-orders/o?cursor=x", "", ("ADMIN_ORDER_LOOKUP", "PAYMENT_ORDER", "o", "INVALID", 422, None)),
    ],
)
def test_each_refusal_leaves_a_row(api: AdminApi, path: str, bearer: str | None, expected: tuple[Any, ...]) -> None:
    answered = api.get(path, bearer=token(roles=["admin_read"]) if bearer == "NO_ROLE" else bearer)
    assert answered.status_code == expected[4]
    (row,) = api.audit()
    assert outcome(row) == expected
    assert row["actor_id"] == (None if expected[4] == 401 else "0f-admin")
    assert row["correlation_id"] == answered.headers["x-correlation-id"]


def test_strangers_learn_nothing_about_parameters(api: AdminApi) -> None:
    assert api.get("/admin/wallets/w/tx?limit=zero", bearer=None).status_code == 401
    assert api.get("/admin/wallets/w/tx?limit=zero", bearer=token(roles=[])).status_code == 403


# The audit as a resource


def test_the_audit_needs_its_own_role_and_is_audited(api: AdminApi) -> None:
    api.get("/admin/tx/t-1")
    auditor = token(**AUDITOR)
    told = api.get("/admin/audit", bearer=auditor).json()
    (entry,) = told["entries"]
    assert (entry["actor_id"], entry["action"], entry["resource_id"], entry["result"]) == (
        "0f-admin",
        "ADMIN_TX_LOOKUP",
        "t-1",
        "NOT_FOUND",
    )
    assert (told["count"], told["next_cursor"]) == (1, None)
    last = api.audit()[-1]
    assert (outcome(last), last["actor_id"]) == (
        ("ADMIN_AUDIT_LOOKUP", "AUDIT", None, "FOUND", 200, 1),
        "0f-auditor",
    )


def test_the_audit_is_filtered(api: AdminApi) -> None:
    for actor, tx_id in (("a", "t-1"), ("b", "t-1"), ("b", "t-2")):
        api.get(f"/admin/tx/{tx_id}", bearer=token(oid=actor))
    auditor = token(**AUDITOR)

    def found(**params: str) -> list[tuple[str, str]]:
        entries = api.get("/admin/audit", params, bearer=auditor).json()["entries"]
        return [(one["actor_id"], one["resource_id"]) for one in entries if one["action"] == "ADMIN_TX_LOOKUP"]

    assert found(actor_id="b") == [("b", "t-2"), ("b", "t-1")]
    assert found(resource_id="t-1") == [("b", "t-1"), ("a", "t-1")]
    assert found(actor_id="b", resource_id="t-1") == [("b", "t-1")]
    assert found(**{"from": "2999-01-01T00:00:00Z"}) == []


def test_the_role_of_the_api_cannot_read_or_change_the_audit(api: AdminApi) -> None:
    import psycopg

    api.get("/admin/tx/t-1")
    for statement in (
        "select * from bo.admin_audit_logs",
        "update bo.admin_audit_logs set actor_id = 'x'",
        "delete from bo.admin_audit_logs",
        "insert into bo.ledger_entries select * from bo.ledger_entries",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            api.database.sql(statement, role="bo_api")


def test_who_has_read_the_audit_works_on_as_the_role_of_the_api(bo: TestDatabase, identity: Provider) -> None:
    bo.sql("alter table bo.admin_audit_logs add column written_by text default current_user")
    with running(bo, auth_settings(identity), db_pool_size=1, db_max_overflow=0) as api:
        assert api.get("/admin/audit", bearer=token(**AUDITOR)).status_code == 200
        assert api.get("/admin/tx/t-1").status_code == 404
        assert bo.sql("select action, written_by from bo.admin_audit_logs order by audit_id") == [
            ("ADMIN_AUDIT_LOOKUP", "bo_api"),
            ("ADMIN_TX_LOOKUP", "bo_api"),
        ]


# No answer without its row


def test_nothing_is_answered_that_cannot_be_recorded(api: AdminApi) -> None:
    payment(api.database)
    api.database.sql("revoke insert on bo.admin_audit_logs from bo_api")
    for path in (
        "/admin/tx/po-1-pay",
        "/admin/tx/none",
        "/admin/payment-orders/po-1",
        "/admin/wallets/w-payer/tx",
        "/admin/search?q=po-1",
        "/admin/wallets/w-payer/tx?limit=0",
    ):
        answered = api.get(path)
        assert answered.status_code == 503, path
        assert answered.headers["retry-after"] == "2"
        assert answered.json()["code"] == "unavailable"
        assert "w-pay" not in answered.text
    assert api.get("/admin/audit", bearer=token(**AUDITOR)).status_code == 503
    assert api.get("/admin/tx/t", bearer=None).status_code == 503
    assert api.audit() == []


def test_parallel_lookups_leave_a_row_each(api: AdminApi) -> None:
    ledger(api.database, "t-1")
    bearer = token()

    def look(number: int) -> int:
        with httpx.Client(base_url=api.url, timeout=30) as client:
            headers = {"Authorization": f"Bearer {bearer}", "X-Correlation-ID": f"c-{number}"}
            return [client.get("/admin/tx/t-1", headers=headers).status_code for _ in range(5)].count(200)

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(look, range(20))) == 100
    rows = api.audit()
    assert len(rows) == 100
    assert {row["correlation_id"] for row in rows} == {f"c-{number}" for number in range(20)}


# Merged refusals


def test_a_flood_without_a_token_is_a_counted_row(bo: TestDatabase, identity: Provider) -> None:
    with running(bo, auth_settings(identity), settings=ApiSettings(audit_refusals_per_second=3)) as api:
        for _ in range(200):
            assert api.get("/admin/tx/t-1", bearer="bad").status_code == 401
        assert api.get("/admin/tx/t-1").status_code == 404
    rows = [row for row in api.audit() if row["status_code"] == 401]
    assert sum(row["occurrences"] for row in rows) == 200
    assert len(rows) < 100
    merged = [row for row in rows if row["occurrences"] > 1]
    assert merged
    assert all((row["ip"], row["resource_id"], row["actor_id"]) == ("127.0.0.1", None, None) for row in merged)


class Rows:
    """Takes audit rows, or refuses them."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.down = False

    async def __call__(self, row: dict[str, Any]) -> None:
        if self.down:
            raise UnavailableError
        self.rows.append(row)

    def counted(self) -> list[tuple[str | None, int]]:
        return [(row["ip"], row["occurrences"]) for row in self.rows]


def stranger(ip: str) -> AuditContext:
    scope: dict[str, Any] = {
        "method": "GET",
        "path": "/admin/tx/t",
        "query_string": b"",
        "headers": [],
        "client": (ip, 1),
    }
    context = AuditContext(scope, trusted=(), masked=frozenset())
    context.subject = Subject(action="ADMIN_TX_LOOKUP", resource_type="TX")
    return context


def refusals(rows: Rows) -> tuple[DeniedRequestAudit, list[float]]:
    now = [0.0]
    return DeniedRequestAudit(rows, per_second=2, clock=lambda: now[0]), now


def test_merging_counts_each_address_apart_and_second_by_second() -> None:
    rows = Rows()
    kept, now = refusals(rows)

    async def scenario() -> None:
        for ip in ("a", "a", "a", "a", "b"):
            await kept.record(stranger(ip), status_code=401, result="UNAUTHENTICATED")
        now[0] = 1.0
        await kept.record(stranger("a"), status_code=401, result="UNAUTHENTICATED")
        await kept.flush()

    asyncio.run(scenario())
    assert sorted(rows.counted(), key=str) == [("a", 1), ("a", 1), ("a", 1), ("a", 2), ("b", 1)]


def test_counts_outlive_an_outage_and_are_joined() -> None:
    rows = Rows()
    kept, now = refusals(rows)

    async def scenario() -> None:
        for second in range(5):
            now[0] = float(second)
            rows.down = False
            for number in range(5):
                rows.down = number >= 2
                await kept.record(stranger("a"), status_code=401, result="UNAUTHENTICATED")
            await kept.flush()
        assert sum(count for _, count in rows.counted()) == 10
        rows.down = False
        await kept.flush()

    asyncio.run(scenario())
    assert rows.counted()[-1] == ("a", 15)


def test_counts_that_are_being_written_when_the_process_ends_are_written() -> None:
    rows = Rows()
    at_work = asyncio.Event()
    is_ending = False

    async def record(row: dict[str, Any]) -> None:
        if row["occurrences"] > 1 and not is_ending:
            at_work.set()
            await asyncio.Event().wait()  # a database that takes its time
        await rows(row)

    now = [0.0]
    kept = DeniedRequestAudit(record, per_second=1, clock=lambda: now[0])

    async def scenario() -> None:
        nonlocal is_ending
        for ip in ("a", "b", "c"):
            for _ in range(4):
                await kept.record(stranger(ip), status_code=401, result="UNAUTHENTICATED")
        await kept.start()
        await at_work.wait()
        is_ending = True
        await kept.close()

    asyncio.run(scenario())
    assert sorted(rows.counted()) == [("a", 1), ("a", 3), ("b", 1), ("b", 3), ("c", 1), ("c", 3)]


def test_a_refusal_that_cannot_be_written_is_told() -> None:
    rows = Rows()
    rows.down = True
    kept, _ = refusals(rows)
    with pytest.raises(UnavailableError):
        asyncio.run(kept.record(stranger("a"), status_code=401, result="UNAUTHENTICATED"))


def test_a_flood_from_everywhere_is_bounded() -> None:
    rows = Rows()
    kept, _ = refusals(rows)

    async def scenario() -> None:
        for number in range(MOST_ADDRESSES + 500):
            await kept.record(
                stranger(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"), status_code=401, result="U"
            )
        await kept.flush()

    asyncio.run(scenario())
    assert sum(count for _, count in rows.counted()) == MOST_ADDRESSES + 500
    assert len(rows.rows) == MOST_ADDRESSES + 3
    assert rows.counted()[-1] == (None, 498)


def test_an_identified_caller_is_never_merged() -> None:
    rows = Rows()
    kept, _ = refusals(rows)

    async def scenario() -> None:
        from plura.kit.auth.principal import Principal

        for _ in range(10):
            context = stranger("a")
            context.principal = Principal(actor_id="x", roles=())
            await kept.record(context, status_code=403, result="FORBIDDEN")

    asyncio.run(scenario())
    assert rows.counted() == [("a", 1)] * 10


def test_a_site_of_ipv6_counts_as_one() -> None:
    assert network_of("2001:db8:1:2::7") == network_of("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"
    assert network_of("192.0.2.7") == "192.0.2.7"
    assert network_of(None) is None


# Addresses and queries

TRUSTED = ApiSettings(trusted_proxies="10.0.0.0/8, 192.0.2.1, fd00::/8").trusted_proxies  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.1", None, "198.51.100.1"),
        ("198.51.100.1", "203.0.113.9", "198.51.100.1"),  # nobody trusts the speaker
        ("10.1.1.1", "203.0.113.9", "203.0.113.9"),
        ("10.1.1.1", "1.2.3.4, 203.0.113.9", "203.0.113.9"),  # what the client wrote itself stands before
        ("10.1.1.1", "203.0.113.9, 192.0.2.1, 10.9.9.9", "203.0.113.9"),
        ("10.1.1.1", "203.0.113.9, nonsense, 10.9.9.9", "10.9.9.9"),
        ("10.1.1.1", "", "10.1.1.1"),
        ("10.1.1.1", "203.0.113.9:4711", "203.0.113.9"),
        ("fd00::1", "[2001:db8::7]:443", "2001:db8::7"),
        ("::ffff:10.1.1.1", "2001:db8::7", "2001:db8::7"),
        ("10.1.1.1", "10.2.2.2", "10.2.2.2"),
        ("unix", "203.0.113.9", "unix"),
        ("10.1.1.1", "203.0.113.9, " + "10.2.2.2, " * 600 + "10.3.3.3", "10.2.2.2"),  # only the end is read
        ("10.1.1.1", "9" * 5000 + ".113.9, 10.2.2.2", "10.2.2.2"),
        ("10.1.1.1", "2001:db8::7%" + "a" * 5000, "10.1.1.1"),
        ("10.1.1.1", "2001:db8::7%eth0", "2001:db8::7"),
        ("fd00::1%eth0", "203.0.113.9", "203.0.113.9"),
    ],
)
def test_only_trusted_proxies_may_name_the_client(peer: str, forwarded: str | None, client: str) -> None:
    assert client_address((peer, 1), forwarded, TRUSTED) == client


@pytest.mark.parametrize("blanks", range(10))
def test_a_part_of_an_address_is_no_address(blanks: int) -> None:
    forwarded = "203.0.113.9, " + "10.2.2.2, " * 600 + "10.3.3.3" + " " * blanks
    assert client_address(("10.1.1.1", 1), forwarded, TRUSTED) == "10.2.2.2"


def test_a_proxy_is_trusted_by_the_settings_only(bo: TestDatabase, identity: Provider) -> None:
    headers = [("X-Forwarded-For", "203.0.113.5"), ("X-Forwarded-For", "203.0.113.9")]
    for trusted, expected in (("127.0.0.0/8", "203.0.113.9"), ("", "127.0.0.1")):
        settings = ApiSettings(trusted_proxies=trusted)  # type: ignore[arg-type]
        with running(bo, auth_settings(identity), settings=settings) as api:
            api.client.get("/admin/tx/t", headers=[*headers, ("Authorization", f"Bearer {token()}")])
            assert api.audit()[-1]["ip"] == expected


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (b"", None),
        (b"token=a&b=1", "token=%2A%2A%2A&b=1"),
        (b"Access_Token=a", "Access_Token=%2A%2A%2A"),
        (b"%74oken=a", "token=%2A%2A%2A"),
        (b"a=%FF&b=", "a=%EF%BF%BD&b="),
        (b"novalue", "novalue="),
    ],
)
def test_secrets_in_queries_are_hidden(query: bytes, kept: str | None) -> None:
    assert masked_query(query, ApiSettings().masked_keys) == kept


# The database goes away


@pytest.mark.parametrize("path", ["/admin/tx/po-1-pay", "/admin/audit"])
def test_connections_that_died_in_the_pool_cost_nobody_an_error(api: AdminApi, path: str) -> None:
    payment(api.database)
    auditor = token(**AUDITOR)
    assert api.get(path, bearer=auditor).status_code == 200
    api.database.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    assert api.get(path, bearer=auditor).status_code == 200
    assert len(api.audit()) == 2


def test_a_statement_that_takes_too_long_is_given_up(api: AdminApi) -> None:
    payment(api.database)
    held = threading.Event()
    release = threading.Event()

    def hold() -> None:
        import psycopg

        with psycopg.connect(api.database.url) as connection:
            connection.execute("lock table bo.admin_audit_logs in access exclusive mode")
            held.set()
            release.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(10)
        started = time.monotonic()
        answered = api.get("/admin/tx/po-1-pay")
        assert answered.status_code == 503
        assert time.monotonic() - started < 6
        assert api.get("/healthz").status_code == 200
    finally:
        release.set()
        thread.join()
    assert api.get("/admin/tx/po-1-pay").status_code == 200
