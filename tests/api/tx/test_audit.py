"""Who looked at what: one row for every lookup and every refusal, and no answer without its row."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from dev.servers.identity import Provider, token
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


def test_a_row_has_actor_address_and_user_agent(api: AdminApi) -> None:
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
    body = api.get("/admin/audit", bearer=auditor).json()
    (entry,) = body["entries"]
    assert (entry["actor_id"], entry["action"], entry["resource_id"], entry["result"]) == (
        "0f-admin",
        "ADMIN_TX_LOOKUP",
        "t-1",
        "NOT_FOUND",
    )
    assert (body["count"], body["next_cursor"]) == (1, None)
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
        return [(entry["actor_id"], entry["resource_id"]) for entry in entries if entry["action"] == "ADMIN_TX_LOOKUP"]

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


# The database goes away


@pytest.mark.parametrize("path", ["/admin/tx/po-1-pay", "/admin/audit"])
def test_connections_that_died_in_the_pool_cause_no_error(api: AdminApi, path: str) -> None:
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
