"""The languages of the console: which one a reader sees, and how it is changed."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import quote

import httpx
import pytest

from tests.admin_api import AdminApi, ledger
from tests.console import BROWSER, PAGES, read


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
