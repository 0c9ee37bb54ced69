"""Refused requests are recorded whatever they carry, in a bounded number of bytes, at a time that the server sets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dev.servers.identity import Provider, token
from plura.kit.auth.settings import AuthSettings
from plura.kit.http.audit_context import LONGEST_QUERY, storable
from plura.kit.http.settings import ApiSettings
from plura.tx.db import API_ROLE
from tests.admin_api import AdminApi, auth_settings, ledger, running
from tests.postgres import TestDatabase
from tests.unit.kit.test_auth_claims import NUMBERS, with_claim

IDS = {
    "900 hangul": quote("가" * 900),
    "700 of four bytes": quote("\U0001f600" * 700),
    "256 of four bytes": quote("\U0001f600" * 256),
    "5,000 ASCII": quote("".join(chr(33 + (7 * n) % 90) for n in range(5000)), safe=""),
    "mixed, cut within a letter": quote("a" + "가" * 1500),
    "control characters": "%01" * 3000,
    "bytes that are no text": "%FF%FE" * 3000,
    "halves of letters": "%ED%A0%80" * 900,
    "slashes": "/" * 5000,
}
"""Ids that cannot be, as they stand in an address."""
CALLERS = {"stranger": (None, 401), "no role": (["OTHER"], 403), "reader": (["ADMIN_READ"], 422)}
ROUTES = {
    "tx": "/admin/tx/{}",
    "order": "/admin/payment-orders/{}",
    "wallet": "/admin/wallets/{}/tx",
    "search": "/admin/search?q={}",
}
COLUMNS = "actor_id, actor_roles, resource_id, request_path, request_query, ip, user_agent, correlation_id"


def longest(api: AdminApi) -> int:
    sizes = ", ".join(f"coalesce(octet_length({name}), 0)" for name in COLUMNS.split(", "))
    ((size,),) = api.database.sql(f"select max(greatest({sizes})) from bo.admin_audit_logs")
    return int(size)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("caller", CALLERS)
def test_an_id_that_cannot_be_leaves_a_bounded_row(api: AdminApi, route: str, caller: str) -> None:
    roles, status = CALLERS[caller]
    bearer = None if roles is None else token(roles=roles)
    for text in IDS.values():
        assert api.get(ROUTES[route].format(text), bearer=bearer).status_code == status
    rows = api.audit()
    assert {row["status_code"] for row in rows} == {status}
    assert len(rows) == len(IDS) or caller == "stranger"  # more than five a second of strangers are merged
    assert longest(api) <= 2000
    ((size,),) = api.database.sql("select max(octet_length(resource_id)) from bo.admin_audit_logs")
    assert 0 < size <= 1020


def test_unknown_callers_are_recorded_one_by_one(bo: TestDatabase, identity: Provider) -> None:
    settings = ApiSettings(audit_refusals_per_second=1000)
    with running(bo, auth_settings(identity), settings=settings) as api:
        for text in IDS.values():
            api.get(f"/admin/tx/{text}", bearer=None)
        assert [row["status_code"] for row in api.audit()] == [401] * len(IDS)


def test_everything_that_a_request_carries_is_bounded(bo: TestDatabase, identity: Provider) -> None:
    settings = ApiSettings(trusted_proxies="127.0.0.1")  # type: ignore[arg-type]
    headers = [
        (b"User-Agent", b"\xe9" * 5000),
        (b"X-Forwarded-For", b"fe80::1%" + b"a" * 5000),
        (b"X-Correlation-ID", b"a" * 5000),
        (b"Authorization", f"Bearer {token(roles=['가' * 200 + str(n) for n in range(5)], oid='가' * 256)}".encode()),
    ]
    with running(bo, auth_settings(identity), settings=settings) as api:
        answered = api.client.get("/admin/tx/t?" + "%EA%B0%80=" * 600, headers=headers)
        assert answered.status_code == 403
        (row,) = api.audit()
        assert row["actor_id"] == "가" * 256
        assert longest(api) <= 2000


def test_whoever_is_believed_without_a_token_is_bounded_too(bo: TestDatabase) -> None:
    headers = [(b"X-Actor-Id", b"\xe9" * 256), (b"X-Actor-Roles", b",".join(b"\xe9" * 200 for _ in range(50)))]
    with running(bo, AuthSettings(auth_mode="disabled")) as api:
        assert api.client.get("/admin/tx/" + quote("가" * 900), headers=headers).status_code == 422
        (row,) = api.audit()
        assert row["actor_id"] == "é" * 256
        assert longest(api) <= 2000


def test_the_longest_id_that_can_be_is_kept_whole(api: AdminApi) -> None:
    text = "\U0001f600" * 255
    ledger(api.database, text)
    assert api.get(f"/admin/tx/{quote(text)}").status_code == 200
    assert [row["resource_id"] for row in api.audit()] == [text]
    found = api.get("/admin/audit", {"resource_id": text}, bearer=token(roles=["ADMIN_AUDIT"])).json()
    assert found["count"] == 1


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=0x10FFFF), max_size=60), st.integers(0, 40))
def test_what_is_stored_is_a_beginning_in_bytes_that_postgresql_takes(text: str, most: int) -> None:
    kept = storable(text, most)
    assert kept is not None
    raw = kept.encode()
    assert len(raw) <= most
    assert b"\x00" not in raw
    whole = storable(text, 1000)
    assert whole is not None
    assert whole.startswith(kept)
    assert len(whole.encode()) <= most or len(raw) > most - 4


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_a_signed_time_that_is_no_time_is_a_recorded_401(bo: TestDatabase, identity: Provider, name: str) -> None:
    settings = ApiSettings(audit_refusals_per_second=1000)
    with running(bo, auth_settings(identity), settings=settings) as api:
        for raw in NUMBERS.values():
            answered = api.get("/admin/tx/t", bearer=with_claim(name, raw))
            assert (answered.status_code, answered.json()["detail"]) == (401, "Invalid token")
        assert [row["status_code"] for row in api.audit()] == [401] * len(NUMBERS)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("path", ["/admin/search?q=a&", "/admin/wallets/w/tx?", "/admin/tx/t?", "/admin/audit?"])
def test_a_query_that_is_too_long_is_recorded_and_not_read(api: AdminApi, caller: str, path: str) -> None:
    roles, status = CALLERS[caller]
    if path == "/admin/audit?" and caller == "reader":
        roles = ["ADMIN_AUDIT"]
    for pattern in ("a=1&", "%", "?"):
        bearer = None if roles is None else token(roles=roles)
        answered = api.get(path + pattern * (LONGEST_QUERY // len(pattern) + 1), bearer=bearer)
        assert answered.status_code == status
        if status == 422:
            assert answered.json()["errors"][0]["loc"] == ["query"]
    rows = api.audit()
    assert [row["status_code"] for row in rows] == [status] * 3
    assert all(row["request_query"] for row in rows)
    assert longest(api) <= 2000


# When


ROW = {
    "action": "ADMIN_TX_LOOKUP",
    "resource_type": "TX",
    "result": "FOUND",
    "status_code": 200,
    "request_method": "GET",
    "request_path": "/admin/tx/t",
}


def insert(row: Mapping[str, Any], how: str = "") -> str:
    values = ", ".join(["%s"] * len(row))
    return f"insert into bo.admin_audit_logs ({', '.join(row)}) {how} values ({values})"


@pytest.mark.parametrize(
    ("name", "value", "how"),
    [
        ("requested_at", "2020-01-01T00:00:00Z", ""),
        ("requested_at", "2099-01-01T00:00:00Z", ""),
        ("audit_id", "1", "overriding system value"),
        ("audit_id", "-1", "overriding system value"),
    ],
)
def test_the_role_of_the_api_cannot_say_when_or_in_which_order(api: AdminApi, name: str, value: str, how: str) -> None:
    row = {**ROW, name: value}
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        api.database.sql(insert(row, how), list(row.values()), role=API_ROLE)
    assert api.audit() == []


def test_a_row_is_dated_when_it_is_written_not_when_its_transaction_began(bo: TestDatabase) -> None:
    with psycopg.connect(bo.url) as connection:
        connection.execute(f"set role {API_ROLE}".encode())
        connection.execute("select pg_sleep(0.3)")
        connection.execute(insert(ROW).encode(), list(ROW.values()))
    ((late,),) = bo.sql("select clock_timestamp() - requested_at < interval '0.25 s' from bo.admin_audit_logs")
    assert late


def test_a_lookup_is_dated_now(api: AdminApi) -> None:
    before = datetime.now(UTC)
    api.get("/admin/tx/t")
    ((at,),) = api.database.sql("select requested_at from bo.admin_audit_logs")
    assert before - timedelta(seconds=1) < at < datetime.now(UTC) + timedelta(seconds=1)
