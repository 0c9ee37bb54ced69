"""Data of every kind of page of the console, and what is read from a page."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx

from tests.admin_api import AdminApi, ledger, order, pair
from tests.postgres import TestDatabase

UUID = "0193e2b4-7c1e-7d3a-9f00-5a1c2b3d4e5f"
PAYER, PAYEE = f"w_payer_{UUID}", "w-haneul-coffee"
ORDER = f"po-{UUID}"
LONG = "x" * 255

PAGES: dict[str, tuple[str, int]] = {
    "start": ("/console", 200),
    "transaction": (f"/console/tx/tx-pay-{UUID}", 200),
    "refund": (f"/console/tx/tx-refund-in-{UUID}", 200),
    "transaction without an order": ("/console/tx/charge", 200),
    "transaction before its order": ("/console/tx/late", 200),
    "transaction of something else": ("/console/tx/coupon", 200),
    "order": (f"/console/payment-orders/{ORDER}", 200),
    "order without entries": ("/console/payment-orders/po-empty", 200),
    "long ids": (f"/console/payment-orders/{LONG}", 200),
    "long ids of a transaction": (f"/console/tx/{LONG}", 200),
    "wallet": (f"/console/wallets/{PAYER}", 200),
    "wallet without entries": ("/console/wallets/nobody", 200),
    "time without entries": (f"/console/wallets/{PAYER}?start=2020-01-01T00:00&end=2020-01-02T00:00", 200),
    "choice": ("/console/search?q=same", 200),
    "nothing found": ("/console/search?q=nothing", 200),
    "audit": ("/console/audit", 200),
    "audit without rows": ("/console/audit?actor_id=nobody", 200),
    "transaction not found": (f"/console/tx/none-{UUID}", 404),
    "order not found": ("/console/payment-orders/none", 404),
    "page not found": ("/console/nowhere", 404),
    "page without an id": ("/console/tx", 404),
    "blank id": ("/console/tx/", 422),
    "blank search": ("/console/search?q=", 422),
    "search without an id": ("/console/search", 422),
    "too long an id": ("/console/search?q=" + "z" * 256, 422),
    "bad time": (f"/console/wallets/{PAYER}?start=soon", 422),
    "turned range": (f"/console/wallets/{PAYER}?start=2026-02-05T12:00&end=2026-02-01T12:00", 422),
    "foreign cursor": (f"/console/wallets/{PAYER}?cursor=abc", 422),
}
"""Pages by name: path, and status for somebody who may see everything."""


def fill(database: TestDatabase) -> None:
    """Store what ``PAGES`` shows: a payment with a refund, entries of all states, long values, an id of two things."""
    order(database, ORDER, merchant_name="Haneul Coffee 하늘커피", amount="128000.00", user_id="user-4711")
    for tx_id, wallet_id, entry_type, signed in (
        (f"tx-pay-{UUID}", PAYER, "PAYMENT", "-128000.00"),
        (f"tx-rcv-{UUID}", PAYEE, "RECEIVE", "128000.00"),
        (f"tx-refund-out-{UUID}", PAYEE, "REFUND_OUT", "-28000.00"),
        (f"tx-refund-in-{UUID}", PAYER, "REFUND_IN", "28000.00"),
    ):
        ledger(
            database,
            tx_id,
            wallet_id=wallet_id,
            entry_type=entry_type,
            amount=signed.lstrip("-"),
            amount_signed=signed,
            related_id=ORDER,
            related_type="PAYMENT_ORDER",
        )
    pair(
        database,
        ORDER,
        payment_tx_id=f"tx-pay-{UUID}",
        receive_tx_id=f"tx-rcv-{UUID}",
        payer_wallet_id=PAYER,
        payee_wallet_id=PAYEE,
    )
    ledger(database, "charge", wallet_id=PAYER, entry_type="CHARGE", amount="500000", amount_signed="500000")
    ledger(database, "hold", wallet_id=PAYER, entry_type="HOLD", amount="5", amount_signed="0")
    ledger(database, "late", wallet_id=PAYER, related_id="po-late")
    ledger(database, "coupon", wallet_id=PAYER, related_id="c-1", related_type="COUPON")
    for status in ("FAILED", "PENDING", "WRITTEN_OFF_BY_THE_MERCHANT"):
        order(database, f"po-{status}", status=status)
        ledger(database, f"tx-{status}", wallet_id=PAYER, related_id=f"po-{status}", related_type="PAYMENT_ORDER")
    ledger(
        database,
        "huge",
        wallet_id=PAYER,
        entry_type="ADJUSTMENT_MANUAL_BY_OPERATOR",
        amount="9999999999999999.99",
        amount_signed="-9999999999999999.99",
    )
    order(database, "po-empty", user_id=None, merchant_name=None)
    ledger(database, "same")
    order(database, "same")
    order(database, LONG, merchant_name="M" * 200, user_id="u" * 200, status="S" * 120)
    ledger(database, LONG, wallet_id="w" * 255, entry_type="T" * 120, related_id=LONG)


@dataclass(kw_only=True)
class Shown:
    """What a page shows and offers."""

    language: str = ""
    heading: str = ""
    text: str = ""
    searches: list[dict[str, str]] = field(default_factory=list)
    """Attributes of the input of each search form."""
    links: list[str] = field(default_factory=list)


def read(page: httpx.Response) -> Shown:
    """Read a page."""
    assert page.headers["content-type"] == "text/html; charset=utf-8", page.text
    parser = _Reader()
    parser.feed(page.text)
    parser.shown.text = " ".join("".join(parser.texts).split())
    parser.shown.heading = " ".join("".join(parser.headings).split())
    return parser.shown


_INLINE = frozenset({"wbr", "bdi", "a"})
"""Elements that no blank comes before or after."""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.shown = Shown()
        self.texts: list[str] = []
        self.headings: list[str] = []
        self._open: list[str] = []
        self._in_search = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "html":
            self.shown.language = values["lang"]
        if tag == "form":
            self._in_search = values.get("role") == "search" and values.get("action") == "/console/search"
        if tag == "input" and self._in_search:
            self.shown.searches.append(values)
        if tag == "a" and "href" in values:
            self.shown.links.append(values["href"])
        if tag not in _INLINE:
            self.texts.append(" ")
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while tag in self._open and self._open.pop() != tag:
            pass
        if tag == "form":
            self._in_search = False
        if tag not in _INLINE:
            self.texts.append(" ")

    def handle_data(self, data: str) -> None:
        if "head" in self._open:
            return
        self.texts.append(data)
        if "h1" in self._open:
            self.headings.append(data)


def sign_in(api: AdminApi, following: str = "/console") -> httpx.Response:
    """Go the way of a browser, and return the page that the provider's redirect ends on."""
    begun = api.client.get("/console/login", params={"following": following})
    assert begun.status_code == 303
    granted = httpx.get(begun.headers["location"])
    assert granted.status_code == 302
    return api.client.get(granted.headers["location"])


def row_of(page: httpx.Response, tx_id: str) -> str:
    """Return the text of the table's row that links to a transaction."""
    (row,) = [row for row in re.findall(r"<tr.*?</tr>", page.text, re.DOTALL) if f'href="/console/tx/{tx_id}"' in row]
    return " ".join(re.sub(r"<[^>]*>", " ", row.replace("<wbr>", "")).split())


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
"""Headers of a browser that requests a page."""
MODES = ("disabled", "signed in", "stranger", "without a role")
"""Modes of authentication in which every page is tested."""


def expected_status(mode: str, name: str) -> int:
    path, status = PAGES[name]
    is_gated = path != "/console" and name not in ("page not found", "page without an id")
    if is_gated and mode == "stranger":
        return 401
    return 403 if is_gated and mode == "without a role" else status
