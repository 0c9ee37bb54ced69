"""The console in a real Chromium with scripts switched off."""

from __future__ import annotations

import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from dev.servers.identity import Provider
from tests.admin_api import AdminApi, ledger, payment


def sign_in(page: Page, api: AdminApi) -> None:
    page.goto(f"{api.url}/console")
    page.get_by_role("link", name="Sign in").click()
    expect(page.get_by_label("Id")).to_be_visible()


def test_an_administrator_signs_in_finds_both_sides_and_signs_out(page: Page, api: AdminApi) -> None:
    payment(api.database)
    sign_in(page, api)
    expect(page).to_have_url(f"{api.url}/console")
    page.get_by_label("Id").fill("po-1-pay")
    page.get_by_role("button", name="Look up").click()
    expect(page).to_have_url(f"{api.url}/console/tx/po-1-pay")
    expect(page.get_by_role("heading", level=1)).to_have_text("Transaction po-1-pay")
    expect(page.get_by_text("Haneul Coffee")).to_be_visible()
    page.get_by_role("link", name="po-1-rcv").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Transaction po-1-rcv")
    page.get_by_role("link", name="po-1", exact=True).click()
    expect(page.get_by_role("row")).to_have_count(3)
    page.get_by_role("link", name="w-payer").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Wallet w-payer")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    page.goto(f"{api.url}/console/tx/po-1-pay")
    expect(page.get_by_text("Sign in first")).to_be_visible()
    page.get_by_role("link", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Transaction po-1-pay")
    assert [(row["action"], row["result"]) for row in api.audit()] == [
        ("ADMIN_SEARCH", "FOUND"),
        ("ADMIN_TX_LOOKUP", "FOUND"),
        ("ADMIN_TX_LOOKUP", "FOUND"),
        ("ADMIN_ORDER_LOOKUP", "FOUND"),
        ("ADMIN_WALLET_TX_LOOKUP", "FOUND"),
        ("ADMIN_TX_LOOKUP", "UNAUTHENTICATED"),
        ("ADMIN_TX_LOOKUP", "FOUND"),
    ]


def test_pages_look_as_their_style_says(page: Page, api: AdminApi) -> None:
    sign_in(page, api)
    expect(page.get_by_role("banner")).to_have_css("display", "flex")


def test_a_long_list_is_paged_by_links(page: Page, api: AdminApi) -> None:
    for number in range(60):
        ledger(api.database, f"t-{number:02}")
    sign_in(page, api)
    page.goto(f"{api.url}/console/wallets/w-1")
    expect(page.get_by_role("row")).to_have_count(51)
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("row")).to_have_count(11)
    expect(page.get_by_role("link", name="Older")).to_have_count(0)


def test_an_auditor_sees_who_looked(page: Page, api: AdminApi, identity: Provider) -> None:
    identity.token_claims = {"roles": ["ADMIN_AUDIT"], "oid": "0f-auditor"}
    sign_in(page, api)
    page.get_by_label("Id").fill("nothing")
    page.get_by_role("button", name="Look up").click()
    page.get_by_role("link", name="Audit").click()
    expect(page.get_by_role("cell", name="ADMIN_SEARCH")).to_be_visible()
    expect(page.get_by_role("cell", name="0f-auditor")).to_be_visible()


def test_a_person_with_many_roles_signs_in_and_out(page: Page, api: AdminApi, identity: Provider) -> None:
    """Chromium drops a cookie of more than 4,096 bytes without a word, and the sign-in would begin again and again."""
    identity.token_claims = {
        "roles": [f"ROLE_OF_ANOTHER_APPLICATION_{number:03}" for number in range(80)] + ["ADMIN_READ"]
    }
    payment(api.database)
    sign_in(page, api)
    page.goto(f"{api.url}/console/tx/po-1-pay")
    expect(page.get_by_role("heading", level=1)).to_have_text("Transaction po-1-pay")
    copied = page.context.cookies()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    page.context.add_cookies(copied)  # type: ignore[arg-type]  # what cookies() gives
    page.goto(f"{api.url}/console/tx/po-1-pay")
    expect(page.get_by_text("Sign in first")).to_be_visible()


def test_cookies_of_an_address_with_tls_are_kept(page: Page, api: AdminApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chromium takes this machine for secure, so it keeps what it would keep over TLS, and nothing else."""
    monkeypatch.setattr("plura.kit.auth.sign_in.SignInSettings.is_secure", property(lambda _: True))
    sign_in(page, api)
    (cookie,) = page.context.cookies()
    assert (cookie["name"], cookie["path"], cookie["secure"]) == ("__Host-plura_session", "/", True)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    assert page.context.cookies() == []


def test_another_site_can_only_link_here(page: Page, api: AdminApi, complaints: list[str]) -> None:
    """A link opens its page, as one in a mail has to; frames, pictures and forms of another site reach nobody."""
    payment(api.database)
    sign_in(page, api)

    class Evil(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = (
                f'<a href="{api.url}/console/tx/po-1-pay">look</a>'
                f'<form method="post" action="{api.url}/console/logout"><button>out</button></form>'
                f'<iframe src="{api.url}/console/tx/framed"></iframe>'
                f'<img src="{api.url}/console/tx/pictured">'
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    evil = ThreadingHTTPServer(("127.0.0.1", 0), Evil)
    thread = Thread(target=evil.serve_forever, daemon=True)
    thread.start()
    try:
        address = f"http://localhost:{evil.server_address[1]}/"  # another site than 127.0.0.1
        page.goto(address)
        page.get_by_role("link", name="look").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Transaction po-1-pay")
        page.goto(address)
        page.get_by_role("button", name="out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Forbidden")
    finally:
        evil.shutdown()
        evil.server_close()
        thread.join()
    lookups = {(row["resource_id"], row["result"], row["actor_id"]) for row in api.audit() if row["resource_id"]}
    assert lookups <= {
        ("po-1-pay", "FOUND", "0f-admin"),
        ("framed", "UNAUTHENTICATED", None),
        ("pictured", "UNAUTHENTICATED", None),
    }
    assert len(lookups) == 3
    assert all("frame-ancestors" in text for text in complaints)
    assert complaints
    complaints.clear()
    page.goto(f"{api.url}/console")
    expect(page.get_by_text(re.compile("0f-admin"))).to_be_visible()
