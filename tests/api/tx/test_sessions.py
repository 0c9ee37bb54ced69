"""Sessions of the console: cookies that browsers keep, links that find them, and an end that holds everywhere."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest
from starlette.responses import Response

from dev.servers.identity import Provider, provider
from plura.kit.auth.sign_in import LONGEST_COOKIE, SESSION_SECONDS
from plura.tx.api.console.session import LOGIN, SESSION, forget, keep_login, keep_session, own_page, read_cookie
from plura.tx.db import API_ROLE
from tests.admin_api import AdminApi, auth_settings, ledger, payment, running, sign_in_settings
from tests.console import sign_in
from tests.postgres import TestDatabase


def signed_in(api: AdminApi) -> dict[str, str]:
    """Sign in and return the header of the session's cookie, as somebody who copied it would send it."""
    sign_in(api)
    return {"Cookie": f"plura_session={api.client.cookies['plura_session']}"}


def sign_out(api: AdminApi) -> httpx.Response:
    (csrf,) = re.findall(r'name="csrf" value="([^"]*)"', api.client.get("/console").text)
    return api.client.post("/console/logout", data={"csrf": csrf})


# Cookies that browsers keep


@pytest.mark.parametrize(
    "said",
    [
        {"roles": [f"ROLE_OF_AN_APPLICATION_{number:03}" for number in range(80)] + ["ADMIN_READ"]},
        {"roles": [f"{number:03}" + "x" * 250 for number in range(40)] + ["ADMIN_READ"]},
        {"roles": [f"{number}" + "가" * 80 for number in range(20)] + ["ADMIN_READ"]},
        {"roles": " ".join(["X"] * 2000 + ["ADMIN_READ"])},
        {"roles": ["ADMIN_READ"] * 500},
        {"oid": "\U0001f600" * 256},
        {"oid": "가" * 256},
        {"oid": '"' * 256},
        {"oid": "\\" * 256, "roles": ["ADMIN_READ", "ADMIN_AUDIT"] * 100},
    ],
)
def test_a_session_fits_into_a_cookie_for_any_token(own: tuple[AdminApi, Provider], said: dict[str, Any]) -> None:
    api, identity_provider = own
    ledger(api.database, "t-1")
    identity_provider.token_claims = said
    page = sign_in(api)
    assert page.status_code == 200
    for cookie in page.headers.get_list("set-cookie"):
        pair, _, attributes = cookie.partition(";")
        assert len(pair.encode()) + len("__Host-") < LONGEST_COOKIE
        assert len(attributes) < 1024
    assert api.client.get("/console/tx/t-1").status_code == 200
    assert api.audit()[-1]["actor_id"] == said.get("oid", "0f-admin")


def test_only_roles_that_open_something_are_kept(own: tuple[AdminApi, Provider]) -> None:
    api, identity_provider = own
    identity_provider.token_claims = {"roles": ["X", "ADMIN_AUDIT", "ADMIN_READ", "admin_read"]}
    sign_in(api)
    assert api.client.get("/console/audit").status_code == 200
    assert api.audit()[-1]["actor_roles"] == "ADMIN_READ,ADMIN_AUDIT"


def test_a_caller_without_a_role_gets_a_page(own: tuple[AdminApi, Provider]) -> None:
    api, identity_provider = own
    identity_provider.token_claims = {"roles": [f"ROLE_{number}" for number in range(80)]}
    sign_in(api)
    page = api.client.get("/console/tx/t-1")
    assert page.status_code == 403
    assert "ADMIN_READ" in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/console/tx/" + quote("가" * 255),
        "/console/tx/" + "a" * 30_000,
        "/console/tx/" + quote("\U0001f600" * 255),
        "/console/tx/" + '"' * 1300,
        "/console/tx/" + "%22" * 2000,
        "/console/wallets/w?cursor=" + "A" * 2048,
        "/console/search?q=" + "%" * 5000,
    ],
)
def test_a_sign_in_that_begins_at_a_long_address_ends(own: tuple[AdminApi, Provider], path: str) -> None:
    api, _ = own
    begun = api.client.get("/console/login", params={"following": path})
    (cookie,) = begun.headers.get_list("set-cookie")
    assert len(cookie.partition(";")[0].encode()) + len("__Host-") < LONGEST_COOKIE
    granted = httpx.get(begun.headers["location"])
    page = api.client.get(granted.headers["location"])
    assert page.status_code == 200
    (target,) = re.findall(r'content="0; url=([^"]*)"', page.text)
    assert target.replace("&#34;", '"') in (path, "/console")


def test_the_address_of_the_longest_korean_id_is_kept() -> None:
    path = "/console/payment-orders/" + quote("가" * 255)
    assert own_page(path) == path


@pytest.mark.parametrize(
    ("seconds", "status"), [(-3, 401), (0, 401), (60, 200)]
)  # within the leeway of five seconds a token that is over is believed
def test_a_token_that_is_over_makes_no_session_that_is_dropped_at_once(
    own: tuple[AdminApi, Provider], seconds: int, status: int
) -> None:
    api, identity_provider = own
    identity_provider.token_claims = {"exp": int(time.time()) + seconds}
    page = sign_in(api)
    assert page.status_code == status
    assert ("plura_session" in page.headers.get("set-cookie", "")) is (status == 200)


@pytest.mark.parametrize("url", ["https://admin.example.test", "http://127.0.0.1:8000"])
def test_cookies_carry_the_prefix_that_ties_them_to_the_host_over_tls_only(identity: Provider, url: str) -> None:
    settings = sign_in_settings(identity, url)
    answer = Response()
    keep_session(answer, settings, "sealed", 60)
    keep_login(answer, settings, "sealed")
    forget(answer, settings, SESSION)
    forget(answer, settings, LOGIN)
    for cookie in answer.headers.getlist("set-cookie"):
        name, attributes = cookie.partition("=")[0], {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "samesite=lax"} <= attributes
        assert not any(part.startswith("domain") for part in attributes)
        if settings.is_secure:
            assert name.startswith("__Host-")
            assert {"secure", "path=/"} <= attributes
        else:
            assert name.startswith("plura_")
            assert "secure" not in attributes
            assert "path=/console" in attributes or "path=/console/callback" in attributes


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("plura_session=a", "a"),
        ("x=1; plura_session=a; y=2", "a"),
        ("x=1;plura_session=a", "a"),
        ("plura_session = a ", "a"),
        ("plura_session=a; plura_session=b", "a"),
        ("plura_session=a=b==", "a=b=="),
        ("Plura_Session=a", ""),
        ("xplura_session=a", ""),
        ("plura_session", ""),
        ("plura_session=", ""),
        ('a="; plura_session=b', "b"),
        ("", ""),
        ("plura_session=" + "a" * 5000, ""),
        ("x=" + "a" * 40_000 + "; plura_session=a", ""),
        ("x=" + "a" * 20_000 + "; plura_session=a", "a"),
    ],
)
def test_a_cookie_is_found_by_its_name(header: str, value: str) -> None:
    assert read_cookie(header, "plura_session") == value


def test_cookies_in_several_headers_are_read(own: tuple[AdminApi, Provider]) -> None:
    api, _ = own
    cookie = signed_in(api)["Cookie"]
    for headers in ([("Cookie", "a=1"), ("Cookie", cookie)], [("Cookie", cookie), ("Cookie", "a=1")]):
        assert httpx.get(f"{api.url}/console/tx/t", headers=headers).status_code == 404


# The end of a session


PAGES = ("/console/tx/t-1", "/console/payment-orders/o", "/console/wallets/w-1", "/console/search?q=t-1")


def test_a_cookie_is_worth_nothing_after_signing_out(own: tuple[AdminApi, Provider]) -> None:
    api, identity_provider = own
    identity_provider.token_claims = {"roles": ["ADMIN_AUDIT"]}
    ledger(api.database, "t-1")
    copied = signed_in(api)
    assert httpx.get(f"{api.url}/console/tx/t-1", headers=copied).status_code == 200
    assert sign_out(api).status_code == 303
    before = len(api.audit())
    for path in (*PAGES, "/console/audit", "/console/wallets/w-1?start=soon", "/console/tx/" + "a" * 300):
        page = httpx.get(api.url + path, headers=copied)
        assert page.status_code == 401, path
        assert "Sign in first" in page.text
        assert "0f-admin" not in page.text
        assert "10.00" not in page.text
    assert "Sign in to look up" in httpx.get(f"{api.url}/console", headers=copied).text
    rows = api.audit()[before:]
    assert {(row["result"], row["actor_id"]) for row in rows} == {("UNAUTHENTICATED", None)}
    assert sum(row["occurrences"] for row in rows) >= 5


def test_signing_out_ends_this_session_and_no_other(own: tuple[AdminApi, Provider]) -> None:
    api, _ = own
    first = signed_in(api)
    api.client.cookies.clear()
    second = signed_in(api)
    sign_out(api)
    assert httpx.get(f"{api.url}/console/tx/t", headers=second).status_code == 401
    assert httpx.get(f"{api.url}/console/tx/t", headers=first).status_code == 404


def test_a_session_that_was_ended_is_over_in_every_process_at_once_and_after_a_restart(bo: TestDatabase) -> None:
    with (
        provider() as identity_provider,
        running(bo, auth_settings(identity_provider), signed_in_by=identity_provider) as api,
    ):
        with running(bo, auth_settings(identity_provider), signed_in_by=identity_provider) as second_api:
            copied = signed_in(api)
            for _ in range(3):
                assert httpx.get(f"{second_api.url}/console/tx/t", headers=copied).status_code == 404
            sign_out(api)
            assert httpx.get(f"{second_api.url}/console/tx/t", headers=copied).status_code == 401
        with running(bo, auth_settings(identity_provider), signed_in_by=identity_provider) as restarted:
            assert httpx.get(f"{restarted.url}/console/tx/t", headers=copied).status_code == 401
            assert "Sign in to look up" in httpx.get(f"{restarted.url}/console", headers=copied).text


def test_many_may_sign_out_at_once_and_twice(own: tuple[AdminApi, Provider]) -> None:
    api, _ = own
    copied = signed_in(api)
    (csrf,) = re.findall(r'name="csrf" value="([^"]*)"', api.client.get("/console").text)

    def out(_: int) -> int:
        return httpx.post(f"{api.url}/console/logout", data={"csrf": csrf}, headers=copied).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(out, range(16))) == {303}
    assert api.database.sql("select count(*) from bo.ended_sessions") == [(1,)]


def test_a_sign_out_that_cannot_be_recorded_is_not_claimed(own: tuple[AdminApi, Provider]) -> None:
    api, _ = own
    copied = signed_in(api)
    page = api.client.get("/console")
    (csrf,) = re.findall(r'name="csrf" value="([^"]*)"', page.text)
    api.database.sql("alter table bo.ended_sessions rename to moved")
    answered = api.client.post("/console/logout", data={"csrf": csrf})
    assert answered.status_code == 503
    assert "set-cookie" not in answered.headers
    api.database.sql("alter table bo.moved rename to ended_sessions")
    assert httpx.get(f"{api.url}/console/tx/t", headers=copied).status_code == 404
    assert api.client.post("/console/logout", data={"csrf": csrf}).status_code == 303
    assert httpx.get(f"{api.url}/console/tx/t", headers=copied).status_code == 401


def test_ends_of_sessions_are_kept_no_longer_than_they_are_of_use(own: tuple[AdminApi, Provider]) -> None:
    api, _ = own
    insert = "insert into bo.ended_sessions (session_id, expires_at) values (%s, now() - %s::interval)"
    api.database.sql(insert, ["old", "25 hours"])
    api.database.sql(insert, ["of a process whose clock is behind", "23 hours"])
    signed_in(api)
    sign_out(api)
    rows = api.database.sql("select session_id, expires_at > now() from bo.ended_sessions order by expires_at")
    assert [row[0] for row in rows][:1] == ["of a process whose clock is behind"]
    assert len(rows) == 2
    assert rows[1][1] is True
    ((bounded,),) = api.database.sql(
        "select max(expires_at) <= now() + %s * interval '1 s' from bo.ended_sessions", [SESSION_SECONDS]
    )
    assert bounded is True


def test_the_role_of_the_api_cannot_open_a_session_again(bo: TestDatabase) -> None:
    bo.sql("select bo.end_session('s', now() + interval '1 hour')", role=API_ROLE)
    for statement in (
        "delete from bo.ended_sessions",
        "update bo.ended_sessions set session_id = 'x'",
        "truncate bo.ended_sessions",
        "insert into bo.ended_sessions values ('x', now())",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            bo.sql(statement, role=API_ROLE)
    assert bo.sql("select session_id from bo.ended_sessions") == [("s",)]


def test_a_token_is_no_session_and_is_not_asked_about(own: tuple[AdminApi, Provider]) -> None:
    api, _ = own
    api.database.sql("alter table bo.ended_sessions rename to moved")
    assert api.get("/admin/tx/t").status_code == 404


# Links


def test_a_link_of_another_site_opens_its_page(own: tuple[AdminApi, Provider]) -> None:
    api, _ = own
    payment(api.database)
    page = sign_in(api)
    (session, *_) = page.headers.get_list("set-cookie")
    assert "samesite=lax" in session.lower()
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert api.client.get("/console/tx/po-1-pay", headers=headers).status_code == 200


@pytest.mark.parametrize("is_secure", [True, False])
def test_browsers_must_use_tls_if_the_address_does(
    bo: TestDatabase, identity: Provider, *, is_secure: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_secure:
        monkeypatch.setattr("plura.kit.auth.sign_in.SignInSettings.is_secure", property(lambda _: True))
    with running(bo, auth_settings(identity), signed_in_by=identity) as api:
        for path in ("/console", "/healthz", "/admin/tx/t", "/nothing", "/console/style.css"):
            found = api.client.get(path).headers.get("strict-transport-security")
            assert found == ("max-age=31536000" if is_secure else None), path
