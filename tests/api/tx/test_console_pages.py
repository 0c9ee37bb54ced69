"""Pages of every kind: a search box on each in every mode, errors as pages, two languages, any id."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from unittest import mock
from urllib.parse import quote

import httpx
import pytest

from dev.servers.identity import provider
from plura.kit.auth.settings import AuthSettings
from plura.kit.embedded_postgres import EmbeddedPostgres
from plura.tx.api.errors import UnavailableError
from plura.tx.api.search.service import SearchService
from plura.tx.api.tx.service import TxService
from tests.admin_api import EPOCH, AdminApi, auth_settings, ledger, order, payment, running
from tests.console import ORDER, PAGES, PAYEE, PAYER, UUID, fill, read, row_of, sign_in
from tests.postgres import TestDatabase, temporary_database

MODES = ("disabled", "signed in", "stranger", "without a role")


@pytest.fixture(scope="module")
def filled(postgres: EmbeddedPostgres) -> Iterator[TestDatabase]:
    with temporary_database(postgres, template="migrated") as database:
        fill(database)
        yield database


@pytest.fixture(scope="module")
def modes(filled: TestDatabase) -> Iterator[dict[str, AdminApi]]:
    """An API over the same data in each mode of authentication."""
    with (
        provider() as one,
        provider() as other,
        running(filled, AuthSettings(auth_mode="disabled")) as disabled,
        running(filled, auth_settings(one), signed_in_by=one) as signed_in,
        running(filled, auth_settings(one), signed_in_by=one) as stranger,
        running(filled, auth_settings(other), signed_in_by=other) as without_a_role,
    ):
        one.token_claims = {"roles": ["ADMIN_READ", "ADMIN_AUDIT"]}
        sign_in(signed_in)
        other.token_claims = {"roles": ["OTHER"]}
        sign_in(without_a_role)
        yield {"disabled": disabled, "signed in": signed_in, "stranger": stranger, "without a role": without_a_role}


@pytest.fixture
def open_api(bo: TestDatabase) -> Iterator[AdminApi]:
    """An API whose console nobody has to sign in to, as the README starts it."""
    with running(bo, AuthSettings(auth_mode="disabled")) as one:
        yield one


@pytest.fixture(scope="module")
def shared(postgres: EmbeddedPostgres) -> Iterator[AdminApi]:
    """Such an API for tests that store things under names of their own."""
    with (
        temporary_database(postgres, template="migrated") as database,
        running(database, AuthSettings(auth_mode="disabled")) as one,
    ):
        payment(database)
        yield one


def expected_status(mode: str, name: str) -> int:
    path, status = PAGES[name]
    is_gated = path != "/console" and name not in ("page not found", "page without an id")
    if is_gated and mode == "stranger":
        return 401
    return 403 if is_gated and mode == "without a role" else status


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


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


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


# Ids


@pytest.mark.parametrize(
    "pasted",
    [
        " po-1",
        "po-1 ",
        "\tpo-1\t",
        "po-1\n",
        "po-1\r\n",
        "\n\npo-1",
        "\xa0po-1\xa0",
        "\u3000po-1",
        "\u200bpo-1\u200b",
        "\ufeffpo-1",
        "po-1\u2060",
        '"po-1"',
        "'po-1'",
        "`po-1`",
        "“po-1”",
        ' "po-1" \r\n',
        '" po-1 "',
        "\u200b«po-1»\xa0",
    ],
)
def test_what_surrounds_a_pasted_id_does_not_matter(shared: AdminApi, pasted: str) -> None:
    before = len(shared.audit())
    found = shared.client.get("/console/search", params={"q": pasted})
    assert (found.status_code, found.headers.get("location")) == (303, "/console/payment-orders/po-1")
    (row,) = shared.audit()[before:]
    assert (row["resource_id"], row["result"]) == ("po-1", "FOUND")


def test_what_surrounds_an_id_in_the_filter_of_the_audit_does_not_matter(open_api: AdminApi) -> None:
    open_api.client.get("/console/tx/wanted", headers={"X-Actor-Id": "kim"})
    for params in ({"resource_id": ' "wanted"\n'}, {"actor_id": "\xa0kim\u200b"}, {"actor_id": " ", "resource_id": ""}):
        assert "wanted" in read(open_api.client.get("/console/audit", params=params)).text


def test_an_id_with_quotes_is_found_by_them(open_api: AdminApi) -> None:
    ledger(open_api.database, '"q"')
    found = open_api.client.get("/console/search", params={"q": ' "q" '})
    assert found.headers["location"] == "/console/tx/%22q%22"
    assert [(row["resource_id"], row["result"]) for row in open_api.audit()] == [("q", "EMPTY"), ('"q"', "FOUND")]


ODD_IDS = [
    "a/b",
    "/a",
    "a/",
    "a//b",
    "../../etc/passwd",
    "a%2Fb",
    "%",
    "%00",
    "a?b=c&d",
    "a#b",
    "a+b",
    "a b",
    "a  b",
    "a&amp;b",
    "a;b",
    "a=b",
    "a\\b",
    "<b>bold</b>",
    '"><script>alert(1)</script>',
    "' onfocus='x",
    "{{ 7 * 7 }}",
    "{id}",
    "%s",
    "مرحبا-שלום",
    "a\u202etxt",
    "👩\u200d👩\u200d👧",
    "하늘 커피",
    "e\u0301",
    "x" * 255,
    "😀" * 255,
    "?lang=ko",
    "lang=ko",
    "search",
    "console",
    "0",
    "None",
]


@pytest.mark.parametrize("id_", ODD_IDS, ids=lambda one: one[:20].encode("unicode_escape").decode())
def test_any_id_is_found_shown_and_linked(shared: AdminApi, id_: str) -> None:
    before = len(shared.audit())
    order(shared.database, id_)
    found = shared.client.get("/console/search", params={"q": id_})
    assert found.status_code == 303, read(found).text
    ledger(shared.database, id_, wallet_id=id_, related_id=id_)
    page = shared.client.get(found.headers["location"])
    assert page.status_code == 200
    shown = read(page)
    squeezed = " ".join(f"Payment order {id_}".split())
    assert shown.heading == squeezed
    assert shown.searches[0]["value"] == id_
    assert "<script" not in page.text
    for kind in ("tx", "wallets"):
        (link,) = [one for one in shown.links if one.startswith(f"/console/{kind}/")]
        linked = shared.client.get(link)
        assert linked.status_code == 200
        assert read(linked).heading.endswith(" ".join(id_.split()))
    assert {row["resource_id"] for row in shared.audit()[before:]} == {id_}


@pytest.mark.parametrize("kind", ["tx", "payment-orders", "wallets"])
@pytest.mark.parametrize("length", [256, 2000, 20_000])
def test_too_long_an_id_is_answered_with_a_page(shared: AdminApi, kind: str, length: int) -> None:
    for path in (f"/console/{kind}/{'x' * length}", f"/console/search?q={'x' * length}"):
        page = shared.client.get(path)
        assert page.status_code == 422
        shown = read(page)
        assert "255 characters" in shown.text
        assert len(shown.searches) == 1


def test_nothing_is_found_and_what_to_do_is_said(open_api: AdminApi) -> None:
    page = open_api.client.get("/console/search", params={"q": " <i>none "})
    shown = read(page)
    assert page.status_code == 200
    assert "No transaction, payment order or wallet has the id <i>none" in shown.text
    assert "Try again" in shown.text
    assert shown.searches[0]["value"] == "<i>none"
    page = open_api.client.get("/console/tx/po-1")
    assert "/console/search?q=po-1" in read(page).links


@pytest.mark.parametrize("name", [name for name, (_, status) in PAGES.items() if status == 200])
def test_no_link_leads_to_nothing(modes: dict[str, AdminApi], name: str) -> None:
    client = modes["disabled"].client
    links = {link for link in read(client.get(PAGES[name][0])).links if link != "#content" and "lang=" not in link}
    assert "/console" in links
    for link in links:
        assert client.get(link).status_code in (200, 303), link


# What entries say


def test_a_refund_shows_who_received(modes: dict[str, AdminApi]) -> None:
    client = modes["disabled"].client
    for side in ("in", "out"):
        text = read(client.get(f"/console/tx/tx-refund-{side}-{UUID}")).text
        assert f"Sender {PAYEE} Receiver {PAYER}" in text
        assert "Refund" in text
        told = client.get(f"/admin/tx/tx-refund-{side}-{UUID}").json()
        assert (told["sender_wallet_id"], told["receiver_wallet_id"]) == (PAYEE, PAYER)
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


# Languages


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_korean_for_who_reads_korean(modes: dict[str, AdminApi], name: str) -> None:
    path, _ = PAGES[name]
    page = modes["signed in"].client.get(path, headers={"Accept-Language": "ko-KR,ko;q=0.9,en;q=0.8"})
    shown = read(page)
    assert shown.language == "ko"
    assert page.headers["content-language"] == "ko"
    assert shown.searches[0]["placeholder"] == "거래, 주문 또는 지갑"
    assert re.search(r"[가-힣]", shown.heading)


def test_a_chosen_language_stays_and_the_page_too(open_api: AdminApi) -> None:
    ledger(open_api.database, "a/b?c")
    client = open_api.client
    path = "/console/tx/" + quote("a/b?c", safe="")
    page = client.get(path + "?x=1&y=%2F")
    (switch,) = [link for link in read(page).links if "lang=" in link]
    assert switch == f"{path}?x=1&y=%2F&lang=ko"
    rows = len(open_api.audit())
    switched = client.get(switch)
    assert (switched.status_code, switched.headers["location"]) == (303, f"{path}?x=1&y=%2F")
    assert len(open_api.audit()) == rows, "the switch made a lookup"
    cookie = switched.headers["set-cookie"]
    assert cookie.startswith("plura_language=ko;")
    assert {part.strip().lower() for part in cookie.split(";")[1:]} == {
        "httponly",
        "max-age=31536000",
        "path=/",
        "samesite=lax",
    }
    for path_ in (path, "/console", "/console/nowhere", "/console/tx/none"):
        assert read(client.get(path_, headers={"Accept-Language": "en"})).language == "ko"
    assert read(client.get("/nowhere", headers=BROWSER)).language == "ko"
    back = [link for link in read(client.get("/console")).links if "lang=" in link]
    assert back == ["/console?lang=en"]
    client.get(back[0])
    assert read(client.get("/console", headers={"Accept-Language": "ko"})).language == "en"


@pytest.mark.parametrize("given", ["lang=fr", "lang=", "lang", "Lang=ko", "xlang=ko", "q=lang%3Dko", "lang=ko%00"])
def test_nothing_else_changes_the_language(open_api: AdminApi, given: str) -> None:
    page = open_api.client.get(f"/console?{given}")
    assert page.status_code == 200
    assert "set-cookie" not in page.headers


@pytest.mark.parametrize("value", ["fr", "", "KO", "ko-KR", "../x", "x" * 5000])
def test_a_language_that_is_none_of_ours_is_not_kept(open_api: AdminApi, value: str) -> None:
    answered = httpx.get(f"{open_api.url}/console", headers={"Cookie": f"plura_language={value}"})
    assert read(answered).language == "en"


def test_the_switch_leads_nowhere_else(open_api: AdminApi) -> None:
    for path in ("/console//evil.example.test", "/console/https://evil.example.test", "/console/%2F%2Fevil.test"):
        answered = open_api.client.get(f"{path}?lang=ko")
        assert answered.status_code == 303
        assert answered.headers["location"] == path
    assert httpx.get(f"{open_api.url}//evil.example.test/console?lang=ko").status_code == 404
    assert httpx.get(f"{open_api.url}//evil.example.test/x?lang=ko", headers=BROWSER).status_code == 404
    assert open_api.client.post("/console/tx/t?lang=ko").status_code == 405


def test_a_stranger_changes_the_language_too(modes: dict[str, AdminApi]) -> None:
    url = modes["stranger"].url
    with httpx.Client(base_url=url) as client:
        client.get("/console/tx/t?lang=ko")
        page = client.get("/console/tx/t")
        assert page.status_code == 401
        assert read(page).language == "ko"
        assert "/console/login?following=/console/tx/t" in read(page).links


@pytest.mark.parametrize("length", [10, 1000, 30_000])
def test_an_endless_wish_for_languages_is_read_in_no_time(open_api: AdminApi, length: int) -> None:
    header = {"Accept-Language": ",".join(["ko;q=0.5"] * (length // 9))}
    answered = open_api.client.get("/console", headers=header)
    assert answered.status_code == 200
    assert answered.elapsed < timedelta(seconds=1)


def test_who_is_signed_in_is_said_on_error_pages_too(bo: TestDatabase) -> None:
    with provider() as one, running(bo, auth_settings(one), signed_in_by=one) as api:
        one.token_claims = {"oid": "0f-<kim>"}
        sign_in(api)
        for path in ("/console", "/console/nowhere", "/console/tx/none", "/console/search?q="):
            page = api.client.get(path)
            assert "0f-<kim>" in read(page).text
            assert 'name="csrf"' in page.text
