"""Pages of every kind: a search box on each in every mode of authentication, errors as pages, entries."""

from __future__ import annotations

import re
from datetime import timedelta
from unittest import mock

import pytest

from dev.servers.identity import provider
from plura.kit.http.errors import UnavailableError
from plura.tx.api.search.service import SearchService
from plura.tx.api.tx.service import TxService
from tests.admin_api import EPOCH, AdminApi, auth_settings, ledger, running
from tests.console import BROWSER, MODES, ORDER, PAGES, PAYEE, PAYER, UUID, expected_status, read, row_of, sign_in
from tests.postgres import TestDatabase

# A search box on every page


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_html_with_one_search_box(modes: dict[str, AdminApi], mode: str, name: str) -> None:
    path, _ = PAGES[name]
    page = modes[mode].client.get(path)
    assert page.status_code == expected_status(mode, name)
    shown = read(page)
    (box,) = shown.searches
    assert box["name"] == "q"
    assert shown.heading
    assert shown.language == "en"
    assert page.headers["content-language"] == "en"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert "http" not in re.sub(r"https?://www\.w3\.org", "", page.text), "loads something from elsewhere"
    assert ("/console/login" in page.text) == (mode == "stranger" or page.status_code == 403)


@pytest.mark.parametrize("mode", MODES)
def test_the_page_after_the_provider_refused_has_a_search_box(modes: dict[str, AdminApi], mode: str) -> None:
    page = modes[mode].client.get("/console/callback?code=x&state=y")
    assert page.status_code == (404 if mode == "disabled" else 401)
    assert len(read(page).searches) == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/console", 405),
        ("POST", "/console/tx/t", 405),
        ("DELETE", "/console/search", 405),
        ("GET", "/console/logout", 405),
        ("POST", "/console/nowhere", 404),
        ("GET", "/console/%2e%2e%2fadmin", 404),
        ("GET", "/console//", 404),
        ("GET", "/console/TX/a", 404),
        ("GET", "/console/style.css/x", 404),
        ("GET", "/console/audit/x", 404),
    ],
)
def test_what_no_page_answers_is_answered_with_an_error_page(
    modes: dict[str, AdminApi], mode: str, method: str, path: str, status: int
) -> None:
    page = modes[mode].client.request(method, path)
    assert page.status_code == status
    shown = read(page)
    assert len(shown.searches) == 1
    assert page.headers["x-correlation-id"] in shown.text
    if status == 405:
        assert page.headers["allow"]
        assert "This address does not take this kind of request." in shown.text


def test_a_form_that_is_not_ours_is_refused_in_a_page(modes: dict[str, AdminApi]) -> None:
    page = modes["signed in"].client.post("/console/logout", data={"csrf": "wrong"})
    assert page.status_code == 403
    assert len(read(page).searches) == 1
    assert "ADMIN_READ" not in page.text


@pytest.mark.parametrize("mode", ["disabled", "signed in"])
@pytest.mark.parametrize(
    ("error", "status", "said"),
    [(UnavailableError(), 503, "Nothing was looked up"), (RuntimeError("secret"), 500, "correlation id")],
)
@pytest.mark.parametrize(("patched", "path"), [(TxService, "/console/tx/t"), (SearchService, "/console/search?q=t")])
def test_an_outage_and_a_fault_are_answered_with_a_page(
    modes: dict[str, AdminApi], mode: str, error: Exception, status: int, said: str, patched: type, path: str
) -> None:
    name = "entry" if patched is TxService else "find"
    with mock.patch.object(patched, name, side_effect=error):
        page = modes[mode].client.get(path)
    assert page.status_code == status
    shown = read(page)
    assert len(shown.searches) == 1
    assert said in shown.text
    assert "secret" not in page.text
    assert page.headers["x-correlation-id"] in shown.text


def test_a_fault_of_the_error_page_itself_is_still_answered(open_api: AdminApi) -> None:
    with mock.patch("plura.tx.api.console.middleware.error_page", side_effect=RuntimeError):
        answered = open_api.client.get("/console/nowhere")
    assert (answered.status_code, answered.json()["code"]) == (500, "internal_error")


def test_a_browser_gets_a_page_for_an_unknown_address(open_api: AdminApi) -> None:
    page = open_api.client.get("/nowhere", headers=BROWSER)
    assert page.status_code == 404
    assert len(read(page).searches) == 1
    assert open_api.client.get("/nowhere").json()["code"] == "not_found"


@pytest.mark.parametrize("path", ["/admin/nowhere", "/admin/tx/none", "/admin/wallets/w/tx?limit=0"])
def test_the_api_answers_browsers_with_problems_too(open_api: AdminApi, path: str) -> None:
    answered = open_api.client.get(path, headers=BROWSER)
    assert answered.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("HEAD", "/"), ("GET", "/console/")])
def test_the_root_leads_to_the_console(modes: dict[str, AdminApi], mode: str, path: str, method: str) -> None:
    answered = modes[mode].client.request(method, path)
    assert (answered.status_code, answered.headers["location"]) == (303, "/console")


def test_without_a_console_the_root_leads_nowhere(api: AdminApi) -> None:
    assert api.client.get("/", headers=BROWSER).json()["code"] == "not_found"


# What entries say


def test_a_refund_shows_who_received(modes: dict[str, AdminApi]) -> None:
    client = modes["disabled"].client
    for side in ("in", "out"):
        text = read(client.get(f"/console/tx/tx-refund-{side}-{UUID}")).text
        assert f"Sender {PAYEE} Receiver {PAYER}" in text
        assert "Refund" in text
        body = client.get(f"/admin/tx/tx-refund-{side}-{UUID}").json()
        assert (body["sender_wallet_id"], body["receiver_wallet_id"]) == (PAYEE, PAYER)
    assert f"Sender {PAYER} Receiver {PAYEE}" in read(client.get(f"/console/tx/tx-pay-{UUID}")).text


def test_rows_of_a_wallet_have_signs_and_counterparties(modes: dict[str, AdminApi]) -> None:
    client = modes["disabled"].client
    page = client.get(f"/console/wallets/{PAYER}")
    for tx_id, parts in {
        f"tx-pay-{UUID}": ("-128,000.00", PAYEE, ORDER, "Success", "SETTLED"),
        f"tx-refund-in-{UUID}": ("+28,000.00", PAYEE, ORDER),
        "charge": ("+500,000.00",),
        "hold": (" 0.00 ",),
        "late": ("-10.00", "po-late", "No order"),
        "tx-FAILED": ("Failed", "FAILED"),
        "tx-PENDING": ("In progress",),
        "tx-WRITTEN_OFF_BY_THE_MERCHANT": ("Unknown",),
        "huge": ("-9,999,999,999,999,999.99",),
    }.items():
        row = row_of(page, tx_id)
        for part in parts:
            assert part in f"{row} ", (tx_id, row)
    page = client.get(f"/console/wallets/{PAYEE}")
    assert "+128,000.00" in row_of(page, f"tx-rcv-{UUID}")
    assert "-28,000.00" in row_of(page, f"tx-refund-out-{UUID}")
    for tx_id in (f"tx-rcv-{UUID}", f"tx-refund-out-{UUID}"):
        assert (
            f'href="/console/wallets/{PAYER}"'
            in re.findall(rf'<tr(?:(?!</tr>).)*/tx/{tx_id}".*?</tr>', page.text, re.DOTALL)[0]
        )


def test_durations_and_times_are_for_people(open_api: AdminApi) -> None:
    ledger(open_api.database, "t-1", ingested_at=EPOCH + timedelta(seconds=7_505))
    page = open_api.client.get("/console/tx/t-1")
    text = read(page).text
    assert "2 hours 5 minutes" in text
    assert "2026-02-05 12:00:00 KST" in text
    assert "2026-02-05 03:00:00 UTC" in text
    assert " ago" in text
    assert 'title="2026-02-05 12:00:00.000000 KST = 2026-02-05 03:00:00.000000 UTC"' in page.text
    korean = read(open_api.client.get("/console/tx/t-1", headers={"Accept-Language": "ko"})).text
    assert "2시간 5분" in korean
    assert " 전" in korean


def test_error_pages_show_who_is_signed_in(bo: TestDatabase) -> None:
    with (
        provider() as identity_provider,
        running(bo, auth_settings(identity_provider), signed_in_by=identity_provider) as api,
    ):
        identity_provider.token_claims = {"oid": "0f-<kim>"}
        sign_in(api)
        for path in ("/console", "/console/nowhere", "/console/tx/none", "/console/search?q="):
            page = api.client.get(path)
            assert "0f-<kim>" in read(page).text
            assert 'name="csrf"' in page.text
