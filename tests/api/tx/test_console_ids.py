"""Any id in the console: pasted, odd, too long, unknown."""

from __future__ import annotations

import pytest

from tests.admin_api import AdminApi, ledger, order
from tests.console import PAGES, read


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


@pytest.mark.parametrize("id_", ODD_IDS, ids=lambda value: value[:20].encode("unicode_escape").decode())
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
        (link,) = [link for link in shown.links if link.startswith(f"/console/{kind}/")]
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


def test_a_search_without_results_suggests_what_to_do(open_api: AdminApi) -> None:
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
