"""The console: signing in by code and PKCE, the same lookups, rights and audit, and nothing for other sites."""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import httpx
import pytest
from pydantic import SecretStr, ValidationError
from starlette.responses import Response

from dev.servers.identity import Provider, rsa_key, token
from plura.kit.auth.sealing import Sealer
from plura.kit.auth.settings import AuthSettings
from plura.tx.api.console.session import keep_session, name_of
from tests.admin_api import AdminApi, ledger, order, payment, running, sign_in_settings
from tests.console import sign_in
from tests.postgres import TestDatabase


def text_of(page: httpx.Response) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page.text).split())


def test_a_stranger_is_shown_the_way_to_sign_in(own: tuple[AdminApi, Provider]) -> None:
    api, _ = own
    page = api.client.get("/console")
    assert page.status_code == 200
    assert '<a class="button" href="/console/login?following=/console">Sign in</a>' in page.text
    assert 'action="/console/logout"' not in page.text


def test_signing_in_ends_in_a_cookie_that_no_script_can_read(own: tuple[AdminApi, Provider]) -> None:
    api, identity_provider = own
    page = sign_in(api, "/console/tx/t-1?x=1")
    assert page.status_code == 200
    assert '<meta http-equiv="refresh" content="0; url=/console/tx/t-1?x=1">' in page.text
    session, login = page.headers.get_list("set-cookie")
    assert session.startswith("plura_session=")
    assert {part.strip().lower() for part in session.split(";")[1:]} >= {"httponly", "samesite=lax", "path=/console"}
    assert login.startswith('plura_login="";')
    assert identity_provider.token_requests[-1]["client_id"] == "console"
    assert "client_secret" not in identity_provider.token_requests[-1]
    assert "0f-admin" in api.client.get("/console").text


def test_the_cookie_holds_no_token_in_the_clear(own: tuple[AdminApi, Provider]) -> None:
    api, _ = own
    sign_in(api)
    value = api.client.cookies["plura_session"]
    assert "0f-admin" not in value
    assert "ADMIN_READ" not in value
    assert value.count(".") == 0


def test_over_tls_cookies_are_secure(identity: Provider) -> None:
    settings = sign_in_settings(identity, "https://admin.example.test", app_env="prod", console_client_secret="s")  # noqa: S106
    assert settings.is_secure
    answer = Response()
    keep_session(answer, settings, "sealed", 60)
    assert "__Host-plura_session=sealed" in answer.headers["set-cookie"]
    assert "Secure" in answer.headers["set-cookie"]
    assert name_of("plura_login", settings) == "__Host-plura_login"


@pytest.mark.parametrize(
    ("following", "kept"),
    [
        ("/console/wallets/w-1", "/console/wallets/w-1"),
        ("https://evil.example.test/", "/console"),
        ("//evil.example.test/console", "/console"),
        ("/console.evil.example.test", "/console"),
        ("/console/\\evil", "/console"),
        ('/console/"><script>', None),
        ("/admin/tx/t", "/console"),
        ("javascript:alert(1)", "/console"),
    ],
)
def test_the_page_after_is_one_of_ours(own: tuple[AdminApi, Provider], following: str, kept: str | None) -> None:
    api, _ = own
    page = sign_in(api, following)
    (found,) = re.findall(r'content="0; url=([^"]*)"', page.text)
    assert found == kept or (kept is None and "<" not in found and found.startswith("/console/"))


# Lookups


def test_lookups_show_what_the_api_returns_and_are_recorded_alike(own: tuple[AdminApi, Provider]) -> None:
    api, _ = own
    payment(api.database)
    sign_in(api)
    page = api.client.get("/console/tx/po-1-pay")
    shown = text_of(page)
    for part in ("po-1-pay", "2026-02-05 12:00:00", "10.00", "Success SETTLED", "w-payer", "w-payee", "Haneul Coffee"):
        assert part in shown, part
    assert 'href="/console/payment-orders/po-1"' in page.text
    assert "w-payee" in text_of(api.client.get("/console/payment-orders/po-1"))
    assert "po-1-rcv" in text_of(api.client.get("/console/wallets/w-payee"))
    assert [(row["action"], row["resource_id"], row["result"], row["actor_id"]) for row in api.audit()] == [
        ("ADMIN_TX_LOOKUP", "po-1-pay", "FOUND", "0f-admin"),
        ("ADMIN_ORDER_LOOKUP", "po-1", "FOUND", "0f-admin"),
        ("ADMIN_WALLET_TX_LOOKUP", "w-payee", "FOUND", "0f-admin"),
    ]


def test_search_goes_straight_to_the_only_hit(own: tuple[AdminApi, Provider]) -> None:
    api, _ = own
    payment(api.database)
    ledger(api.database, "same")
    order(api.database, "same")
    sign_in(api)
    assert api.client.get("/console/search?q=po-1").headers["location"] == "/console/payment-orders/po-1"
    both = api.client.get("/console/search?q=same")
    assert both.text.count("<li>") == 2
    assert "has this id" in text_of(api.client.get("/console/search?q=nothing"))
    assert api.client.get("/console/search?q=").status_code == 422


def test_a_missing_object_has_a_page(own: tuple[AdminApi, Provider]) -> None:
    api, _ = own
    sign_in(api)
    page = api.client.get("/console/tx/none")
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")
    assert "No transaction has the id" in text_of(page)
    assert page.headers["x-correlation-id"] in page.text
    assert api.audit()[-1]["result"] == "NOT_FOUND"


def test_pages_of_a_wallet_are_linked_and_bounded_by_korean_time(own: tuple[AdminApi, Provider]) -> None:
    api, _ = own
    for number in range(60):
        ledger(api.database, f"t-{number:02}")
    sign_in(api)
    first = api.client.get("/console/wallets/w-1?start=2026-02-05T12:00&end=2026-02-05T12:00")
    assert first.text.count("<tr") == 51
    (link,) = re.findall(r'rel="next" href="([^"]*)"', first.text)
    second = api.client.get(link.replace("&amp;", "&"))
    assert second.text.count("<tr") == 11
    assert "t-59" in second.text
    assert api.client.get("/console/wallets/w-1?start=2026-02-05T12:01").text.count("<tr") == 0
    assert api.client.get("/console/wallets/w-1?start=soon").status_code == 422
    assert api.client.get("/console/wallets/w-1?start=0001-01-01T00:00").status_code == 422


def test_the_end_of_time_has_a_page(own: tuple[AdminApi, Provider]) -> None:
    api, _ = own
    ledger(api.database, "t-last", event_time="9999-12-31T23:59:59Z")
    sign_in(api)
    assert "9999-12-31 23:59:59 UTC" in api.client.get("/console/tx/t-last").text
    assert api.client.get("/console/wallets/w-1").status_code == 200


def test_ids_and_names_cannot_become_markup(own: tuple[AdminApi, Provider]) -> None:
    api, _ = own
    bad = '"><script>alert(1)</script>'
    order(api.database, "po-9", merchant_name=bad, status=bad, user_id=bad)
    ledger(api.database, "t-9", related_id="po-9", wallet_id=bad, entry_type=bad)
    sign_in(api)
    for path in (
        "/console/tx/t-9",
        "/console/payment-orders/po-9",
        f"/console/search?q={bad}x",
        f"/console/wallets/{quote(bad)}",
    ):
        page = api.client.get(path)
        assert "alert(1)" in page.text
        assert "<script" not in page.text


@pytest.mark.parametrize("path", ["/console", "/console/tx/none", "/console/login", "/console/callback"])
def test_pages_let_nothing_else_in(own: tuple[AdminApi, Provider], path: str) -> None:
    api, _ = own
    page = api.client.get(path)
    if page.status_code != 303:
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert page.headers["x-frame-options"] == "DENY"
        assert "<script" not in page.text
    assert page.headers["cache-control"] == "no-store"


# Rights


def test_a_lookup_without_a_session_is_refused_and_recorded(own: tuple[AdminApi, Provider]) -> None:
    api, _ = own
    payment(api.database)
    page = api.client.get("/console/tx/po-1-pay")
    assert page.status_code == 401
    assert "Sign in first" in page.text
    assert 'href="/console/login?following=/console/tx/po-1-pay"' in page.text
    assert "w-payer" not in page.text
    (row,) = api.audit()
    assert (row["action"], row["status_code"], row["actor_id"]) == ("ADMIN_TX_LOOKUP", 401, None)


@pytest.mark.parametrize("path", ["/console/tx/a%2F%EC%95%84%3Fb%26c", "/console/search?q=%EC%95%84%26b"])
def test_the_way_back_from_a_sign_in_keeps_ids_as_they_are(own: tuple[AdminApi, Provider], path: str) -> None:
    api, _ = own
    (link,) = re.findall(r'following=([^"]*)"', api.client.get(path).text)
    assert f'content="0; url={path}"' in sign_in(api, unquote(link)).text


def test_a_bearer_token_opens_no_page_and_a_cookie_no_route(own: tuple[AdminApi, Provider]) -> None:
    api, _ = own
    assert api.client.get("/console/tx/t", headers={"Authorization": f"Bearer {token()}"}).status_code == 401
    sign_in(api)
    assert api.client.get("/console/tx/t").status_code == 404
    assert (
        api.client.get(
            "/admin/tx/t", headers={"Cookie": f"plura_session={api.client.cookies['plura_session']}"}
        ).status_code
        == 401
    )


def test_roles_count_in_the_console_too(own: tuple[AdminApi, Provider]) -> None:
    api, identity_provider = own
    sign_in(api)
    assert "/console/audit" not in api.client.get("/console").text
    refused = api.client.get("/console/audit")
    assert refused.status_code == 403
    assert "needs ADMIN_AUDIT" in refused.text
    identity_provider.token_claims = {"roles": ["OTHER"]}
    sign_in(api)
    assert api.client.get("/console/tx/t").status_code == 403
    identity_provider.token_claims = {"roles": ["ADMIN_AUDIT"], "oid": "0f-auditor"}
    sign_in(api)
    assert "/console/audit" in api.client.get("/console").text
    page = api.client.get("/console/audit?actor_id=&resource_id=t")
    assert page.status_code == 200
    assert "FORBIDDEN" in page.text
    assert api.audit()[-1]["action"] == "ADMIN_AUDIT_LOOKUP"


def test_a_session_ends_with_its_token(own: tuple[AdminApi, Provider]) -> None:
    api, identity_provider = own
    identity_provider.token_claims = {"exp": int(time.time()) + 4}
    page = sign_in(api)
    cookie = {"Cookie": page.headers.get_list("set-cookie")[0].split(";")[0]}
    assert httpx.get(f"{api.url}/console/tx/t", headers=cookie).status_code == 404
    time.sleep(4)
    assert httpx.get(f"{api.url}/console/tx/t", headers=cookie).status_code == 401


@pytest.mark.parametrize("forged", ["", "x", "gAAAAA", "a" * 5000, '"; x=y', "é"])
def test_a_forged_cookie_is_no_session(own: tuple[AdminApi, Provider], forged: str) -> None:
    api, _ = own
    answered = httpx.get(f"{api.url}/console/tx/t", headers=[(b"Cookie", f"plura_session={forged}".encode())])
    assert answered.status_code == 401


def test_cookies_of_one_purpose_do_not_serve_another() -> None:
    key = SecretStr("k" * 32)
    sealed = Sealer(key, "login").seal({"a": 1})
    assert Sealer(key, "login").open(sealed, seconds=60) == {"a": 1}
    assert Sealer(key, "session").open(sealed, seconds=60) is None
    assert Sealer(SecretStr("x" * 32), "login").open(sealed, seconds=60) is None


# Other sites


def test_a_sign_in_that_another_browser_began_is_refused(own: tuple[AdminApi, Provider]) -> None:
    api, identity_provider = own
    begun = api.client.get("/console/login")
    address = httpx.get(begun.headers["location"]).headers["location"]
    assert httpx.get(address).status_code == 401  # no cookie: the victim's browser
    assert not identity_provider.token_requests
    second_parameters = parse_qs(urlsplit(address).query)
    wrong = f"/console/callback?code={second_parameters['code'][0]}&state=wrong"
    assert api.client.get(wrong).status_code == 401
    assert not identity_provider.token_requests


@pytest.mark.parametrize("broken", ["code", "key", "denied"])
def test_without_a_good_token_a_sign_in_fails(own: tuple[AdminApi, Provider], broken: str) -> None:
    api, identity_provider = own
    begun = api.client.get("/console/login")
    address = httpx.get(begun.headers["location"]).headers["location"]
    if broken == "code":
        address = re.sub(r"code=[^&]*", "code=other", address)
    elif broken == "key":
        identity_provider.token_claims = {"key": rsa_key("other")}
    else:
        address = re.sub(r"code=[^&]*", "error=access_denied", address)
    page = api.client.get(address)
    assert page.status_code == 401
    assert "plura_session" not in page.headers.get("set-cookie", "")


def test_signing_out_needs_the_form_of_our_page(own: tuple[AdminApi, Provider]) -> None:
    api, _ = own
    page = sign_in(api)
    page = api.client.get("/console")
    (csrf,) = re.findall(r'name="csrf" value="([^"]*)"', page.text)
    for data in ({}, {"csrf": "wrong"}, {"csrf": "x" * 10_000}):
        refused = api.client.post("/console/logout", data=data)
        assert refused.status_code in (403, 422)
        assert "needs ADMIN_AUDIT" not in refused.text
    assert api.client.get("/console/logout").status_code == 405
    assert "0f-admin" in api.client.get("/console").text
    answered = api.client.post("/console/logout", data={"csrf": csrf})
    assert answered.status_code == 303
    assert "0f-admin" not in api.client.get("/console").text


# Whether it is there


def test_without_a_client_there_is_no_console(api: AdminApi) -> None:
    assert api.client.get("/console").status_code == 404


def test_without_authentication_no_sign_in_is_needed(bo: TestDatabase) -> None:
    ledger(bo, "t-1")
    with running(bo, AuthSettings(auth_mode="disabled")) as api:
        assert api.client.get("/console/tx/t-1").status_code == 200
        assert api.client.get("/console/login").status_code == 404
        assert api.client.get("/console/audit").status_code == 200


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"console_session_key": "short"}, "32 characters"),
        ({"console_session_key": None}, "PLURA_CONSOLE_SESSION_KEY"),
        ({"console_token_url": "http://login.example.test/token", "app_env": "prod"}, "https"),
        ({"console_url": ""}, "PLURA_CONSOLE_URL"),
    ],
)
def test_settings_of_the_console_are_complete_and_safe(identity: Provider, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        sign_in_settings(identity, "https://admin.example.test", **changed)
