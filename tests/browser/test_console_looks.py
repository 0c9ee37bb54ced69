"""How pages look in a real Chromium: on a phone, in the dark, in both languages, by keyboard, without a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from dev.servers.identity import Provider, provider
from plura.kit.auth.settings import AuthSettings
from plura.kit.embedded_postgres import EmbeddedPostgres
from tests.admin_api import AdminApi, auth_settings, payment, running
from tests.browser.looks import broken_words, contrasts, cut_off, overflow
from tests.console import ORDER, PAGES, PAYEE, PAYER, UUID, fill
from tests.postgres import TestDatabase, temporary_database

LANGUAGES = {"en": "en-US", "ko": "ko-KR"}
TEXT, BORDER = 4.5, 3.0
"""Least contrasts of WCAG 2 AA."""


@pytest.fixture(scope="module")
def filled(postgres: EmbeddedPostgres) -> Iterator[TestDatabase]:
    with temporary_database(postgres, template="migrated") as database:
        fill(database)
        yield database


@pytest.fixture(scope="module")
def people() -> Iterator[Provider]:
    with provider() as identity_provider:
        identity_provider.token_claims = {
            "roles": ["ADMIN_READ", "ADMIN_AUDIT"],
            "oid": "6f1c2f0e-1111-4000-8000-000000000001",
        }
        yield identity_provider


@pytest.fixture(scope="module")
def console(filled: TestDatabase, people: Provider) -> Iterator[AdminApi]:
    with running(filled, auth_settings(people), signed_in_by=people) as api:
        yield api


@pytest.fixture(scope="module")
def unlocked(filled: TestDatabase) -> Iterator[AdminApi]:
    """The console that nobody has to sign in to."""
    with running(filled, AuthSettings(auth_mode="disabled")) as api:
        yield api


@contextmanager
def opened(browser: Browser, *, width: int = 1280, language: str = "en", **more: Any) -> Iterator[Page]:
    """Give a page without scripts, in a window of a width, of somebody who reads a language."""
    context = browser.new_context(
        java_script_enabled=False,
        viewport={"width": width, "height": 800},
        locale=LANGUAGES[language],
        **more,
    )
    try:
        yield context.new_page()
    finally:
        context.close()


def signed_in(page: Page, api: AdminApi) -> None:
    page.goto(f"{api.url}/console/login")
    expect(page.locator("form[action='/console/logout']")).to_be_visible()


# Widths


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [320, 390, 768, 1025, 1280])
def test_words_stay_whole_and_nothing_reaches_beyond_the_window(
    chromium: Browser, console: AdminApi, width: int, language: str
) -> None:
    with opened(chromium, width=width, language=language) as page:
        page.goto(f"{console.url}/console")
        assert (broken_words(page), overflow(page), cut_off(page)) == ([], 0, []), "the way to sign in"
        signed_in(page, console)
        for name, (path, _) in PAGES.items():
            page.goto(console.url + path)
            assert (broken_words(page), overflow(page), cut_off(page)) == ([], 0, []), name


@pytest.mark.parametrize("width", [320, 390])
def test_on_a_phone_a_row_is_a_card_with_labels_and_without_empty_lines(
    chromium: Browser, console: AdminApi, width: int
) -> None:
    with opened(chromium, width=width) as page:
        signed_in(page, console)
        page.goto(f"{console.url}/console/wallets/{PAYER}")
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name="charge", exact=True))
        expect(row).to_have_css("display", "flex")
        assert row.get_by_role("cell").count() == 4  # time, transaction, type, amount
        box, amount = row.bounding_box(), row.get_by_text("+500,000.00").bounding_box()
        assert box is not None
        assert amount is not None
        assert box["width"] > width * 0.85
        assert page.get_by_role("columnheader", name="Counterparty").count() == 1  # for screen readers
        for control in page.locator("a, button, input:not([type=hidden])").all():
            if control.is_visible():
                size = control.bounding_box()
                assert size is not None
                assert size["height"] >= 16, control.inner_text()


def test_wide_values_scroll_within_their_table(chromium: Browser, console: AdminApi) -> None:
    with opened(chromium, width=1280) as page:
        signed_in(page, console)
        page.goto(f"{console.url}/console/wallets/{'w' * 255}")
        region = page.get_by_role("region")
        assert region.evaluate("one => one.scrollWidth > one.clientWidth") in (True, False)
        expect(region).to_have_attribute("tabindex", "0")
        assert overflow(page) == 0


# Colours


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_texts_can_be_read_in_both_schemes(chromium: Browser, console: AdminApi, scheme: str) -> None:
    with opened(chromium, color_scheme=scheme) as page:
        page.goto(f"{console.url}/console/tx/x")
        luminance, _ = contrasts(page)
        assert luminance < 0.05 if scheme == "dark" else luminance > 0.8
        signed_in(page, console)
        for name, (path, _) in PAGES.items():
            page.goto(console.url + path)
            _, found = contrasts(page)
            assert len(found) > 10
            weak = [pair for pair in found if pair[2] < (TEXT if pair[0] == "text" else BORDER)]
            assert weak == [], name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_states_have_a_word_and_a_colour_of_their_own(chromium: Browser, console: AdminApi, scheme: str) -> None:
    with opened(chromium, color_scheme=scheme) as page:
        signed_in(page, console)
        page.goto(f"{console.url}/console/wallets/{PAYER}")
        colours = {
            word: page.locator(".badge")
            .filter(has_text=word)
            .first.evaluate("one => getComputedStyle(one).backgroundColor")
            for word in ("Success", "Failed", "In progress", "Unknown")
        }
        assert len(set(colours.values())) == 4


# Languages


def test_the_language_follows_the_browser_and_the_switch_stays(chromium: Browser, unlocked: AdminApi) -> None:
    with opened(chromium, language="ko") as page:
        page.goto(f"{unlocked.url}/console/wallets/{PAYER}")
        expect(page.locator("html")).to_have_attribute("lang", "ko")
        expect(page.get_by_role("heading", level=1)).to_have_text(f"지갑 {PAYER}")
        page.get_by_role("link", name="English").click()
        expect(page).to_have_url(f"{unlocked.url}/console/wallets/{PAYER}")
        expect(page.locator("html")).to_have_attribute("lang", "en")
        page.get_by_role("link", name="charge", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Transaction charge")
        page.goto(f"{unlocked.url}/console/nowhere")
        expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page")
        page.get_by_role("link", name="한국어").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("페이지를 찾을 수 없습니다")


def test_the_language_stays_through_signing_in(chromium: Browser, console: AdminApi) -> None:
    with opened(chromium) as page:
        page.goto(f"{console.url}/console/payment-orders/{ORDER}")
        page.get_by_role("link", name="한국어").click()
        page.get_by_role("link", name="로그인").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"결제 주문 {ORDER}")
        page.get_by_role("button", name="로그아웃").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("거래 조회")


# Use


@pytest.mark.parametrize("pasted", [" po-1 ", "po-1\n", '"po-1"', "\u00a0po-1\u200b", "\ufeff“po-1”\r\n"])
def test_a_pasted_id_is_found_whatever_surrounds_it(chromium: Browser, bo: TestDatabase, pasted: str) -> None:
    payment(bo)
    with running(bo, AuthSettings(auth_mode="disabled")) as api, opened(chromium) as page:
        page.goto(f"{api.url}/console")
        expect(page.get_by_role("searchbox").or_(page.get_by_label("Id"))).to_be_focused()
        page.get_by_label("Id").fill(pasted)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Payment order po-1")


@pytest.mark.parametrize(
    "id_",
    ["a+b", "a b", "a/b", "a%2Fb", "a?b=c", "a#b", "<b>&amp;", '"', "مرحبا-1", "👩\u200d👧", "../../x", "x" * 255],
)
def test_any_id_goes_through_the_search_box_and_through_links(chromium: Browser, bo: TestDatabase, id_: str) -> None:
    from tests.admin_api import ledger, order

    order(bo, id_)
    ledger(bo, "t-1", wallet_id=id_, related_id=id_)
    with running(bo, AuthSettings(auth_mode="disabled")) as api, opened(chromium, width=320) as page:
        page.goto(f"{api.url}/console/tx/t-1")
        page.locator("a[href*='/console/wallets/']").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Wallet {id_}")
        expect(page.get_by_label("Id")).to_have_value(id_)
        page.locator("a[href*='/console/payment-orders/']").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Payment order {id_}")
        page.get_by_role("button", name="Look up").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(id_)
        assert (overflow(page), cut_off(page)) == (0, [])


def test_a_refund_names_who_received_it(chromium: Browser, unlocked: AdminApi) -> None:
    with opened(chromium) as page:
        page.goto(f"{unlocked.url}/console/tx/tx-refund-in-{UUID}")
        flow = page.locator(".flow")
        expect(flow.locator("div", has_text="Sender").get_by_role("link")).to_have_text(PAYEE)
        expect(flow.locator("div", has_text="Receiver").get_by_role("link")).to_have_text(PAYER)


def test_everything_is_reached_by_keyboard_and_seen_to_be(chromium: Browser, console: AdminApi) -> None:
    with opened(chromium) as page:
        signed_in(page, console)
        page.goto(f"{console.url}/console/tx/tx-pay-{UUID}")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        seen = []
        for _ in range(12):
            focused = page.locator(":focus")
            if focused.count() == 0:
                break
            outline = focused.evaluate("one => getComputedStyle(one).outlineStyle + getComputedStyle(one).outlineWidth")
            assert outline == "solid3px"
            seen.append(focused.evaluate("one => one.name || one.textContent.trim()"))
            page.keyboard.press("Tab")
        assert {"Transaction lookup", "q", "Look up", "Audit", "한국어", "Sign out", PAYER, PAYEE, ORDER} <= set(seen)


def test_pages_load_nothing_from_elsewhere_and_break_no_policy(chromium: Browser, unlocked: AdminApi) -> None:
    with opened(chromium) as page:
        asked: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        for name, (path, status) in PAGES.items():
            page.goto(unlocked.url + path)
            if status == 200:
                assert complaints == [], name
            complaints.clear()
        assert {url for url in asked if not url.startswith(unlocked.url)} == set()
        assert any(url.endswith("/console/style.css") for url in asked)


def test_the_root_leads_to_the_search(chromium: Browser, unlocked: AdminApi) -> None:
    with opened(chromium) as page:
        page.goto(unlocked.url)
        assert page.url == f"{unlocked.url}/console"
        expect(page.get_by_label("Id")).to_be_visible()
