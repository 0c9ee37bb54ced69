"""Keyset pages: every row once, whatever is inserted meanwhile, and cursors that fit one list only."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.servers.identity import token
from plura.kit.http import cursors
from plura.kit.http.cursors import Position
from plura.kit.http.errors import InvalidRequestError
from tests.admin_api import EPOCH, AdminApi, ledger, order


def walked(api: AdminApi, path: str, **params: Any) -> list[str]:
    """Ids of all pages in order."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        body = api.get(path, {**params, **({"cursor": cursor} if cursor else {})}).json()
        rows = body.get("entries", body.get("ledger_entries"))
        assert body["count"] == len(rows) <= params["limit"]
        found += [row["tx_id"] for row in rows]
        assert len(found) == len(set(found)), "a row came twice"
        cursor = body["next_cursor"]
        if cursor is None:
            return found


def rows_with_equal_times(api: AdminApi, **more: Any) -> list[str]:
    """Insert entries of three instants with ids in an order that a locale would change; return them as pages must."""
    ids = ["b", "B", "a", "_", "Z", "ä", "10", "9"]
    for minute in range(3):
        for tx_id in ids:
            ledger(api.database, f"{tx_id}-{minute}", event_time=EPOCH + timedelta(minutes=minute), **more)
    return [f"{tx_id}-{minute}" for minute in (2, 1, 0) for tx_id in sorted(ids, key=lambda name: name.encode())]


@pytest.mark.parametrize("limit", [1, 2, 7, 8, 23, 24, 25, 100])
def test_pages_of_a_wallet_hold_every_row_once(api: AdminApi, limit: int) -> None:
    expected = rows_with_equal_times(api)
    ledger(api.database, "other", wallet_id="w-2")
    assert walked(api, "/admin/wallets/w-1/tx", limit=limit) == expected


def test_pages_of_an_order_hold_every_row_once(api: AdminApi) -> None:
    order(api.database, "po-1")
    expected = rows_with_equal_times(api, related_id="po-1")
    assert walked(api, "/admin/payment-orders/po-1", limit=5) == expected


def test_pages_stay_within_their_range(api: AdminApi) -> None:
    expected = rows_with_equal_times(api)
    bounds = {"from": "2026-02-05T03:00:00Z", "to": "2026-02-05T03:01:00Z"}
    assert walked(api, "/admin/wallets/w-1/tx", limit=3, **bounds) == expected[8:]


def test_rows_that_come_meanwhile_shift_nothing(api: AdminApi) -> None:
    expected = rows_with_equal_times(api)
    first = api.get("/admin/wallets/w-1/tx", {"limit": 12}).json()
    ledger(api.database, "new", event_time=EPOCH + timedelta(hours=1))
    second = api.get("/admin/wallets/w-1/tx", {"limit": 12, "cursor": first["next_cursor"]}).json()
    assert [row["tx_id"] for row in first["entries"] + second["entries"]] == expected


def test_a_page_that_ends_with_the_list_has_no_next(api: AdminApi) -> None:
    rows_with_equal_times(api)
    assert api.get("/admin/wallets/w-1/tx", {"limit": 24}).json()["next_cursor"] is None
    assert api.get("/admin/wallets/w-1/tx", {"limit": 23}).json()["next_cursor"] is not None


def test_a_cursor_fits_its_own_list_only(api: AdminApi) -> None:
    rows_with_equal_times(api)
    order(api.database, "w-1")
    bounds = {"from": "2026-02-05T03:00:00Z"}
    cursor = api.get("/admin/wallets/w-1/tx", {"limit": 2, **bounds}).json()["next_cursor"]

    def status(path: str, **params: Any) -> int:
        answered = api.get(path, {"cursor": cursor, **params})
        if answered.status_code == 422:
            assert answered.json()["errors"][0]["loc"] == ["query", "cursor"]
        return answered.status_code

    assert status("/admin/wallets/w-1/tx", limit=5, **bounds) == 200
    assert status("/admin/wallets/w-1/tx", **{"from": "2026-02-05T12:00:00+09:00"}) == 200
    assert status("/admin/wallets/w-2/tx", **bounds) == 422
    assert status("/admin/wallets/w-1/tx") == 422
    assert status("/admin/wallets/w-1/tx", **bounds, to="2026-02-06T00:00:00Z") == 422
    assert status("/admin/payment-orders/w-1") == 422


def test_pages_of_the_audit_hold_every_row_once(api: AdminApi) -> None:
    for number in range(7):
        api.get(f"/admin/tx/t-{number}")
    auditor = token(roles=["ADMIN_AUDIT"])
    found: list[str] = []
    cursor = None
    while True:
        params = {"limit": 3, "actor_id": "0f-admin", "to": "2999-01-01T00:00:00Z"}
        body = api.get("/admin/audit", params | ({"cursor": cursor} if cursor else {}), bearer=auditor).json()
        found += [row["resource_id"] for row in body["entries"] if row["action"] == "ADMIN_TX_LOOKUP"]
        cursor = body["next_cursor"]
        if cursor is None:
            break
    assert found == [f"t-{number}" for number in reversed(range(7))]


SCOPE = ("wallet", "w-1", "-infinity", "infinity")


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=255),
)
def test_a_cursor_brings_back_its_position(time: datetime, tie: str) -> None:
    cursor = cursors.encode(Position(time=time, tie=tie), *SCOPE)
    assert len(cursor) <= cursors.LONGEST
    assert cursors.decode(cursor, *SCOPE) == Position(time=time, tie=tie)


@given(st.text(st.sampled_from("ABCabc019-_"), min_size=1, max_size=60))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        cursors.decode(text, *SCOPE)


def test_the_zone_of_a_cursor_does_not_reach_the_database() -> None:
    raw = cursors._digest(SCOPE) + b'["2026-02-05T03:00:00+23:59:30.5", "t"]'
    position = cursors.decode(base64.urlsafe_b64encode(raw).decode().rstrip("="), *SCOPE)
    assert position.time.isoformat() == "2026-02-04T03:00:29.500000+00:00"


@pytest.mark.parametrize(
    "content",
    [
        ["2026-02-05T03:00:00", "t"],
        ["2026-02-05T03:00:00+00:00", 7],
        ["2026-02-05T03:00:00+00:00", "t\x00"],
        ["0001-01-01T00:00:00+00:01", "t"],
        ["soon", "t"],
        [1, "t"],
        {"a": 1, "b": 2},
        "ab",
    ],
)
def test_a_cursor_with_the_right_digest_and_a_wrong_content_is_refused(content: Any) -> None:
    raw = cursors._digest(SCOPE) + json.dumps(content).encode()
    with pytest.raises(InvalidRequestError):
        cursors.decode(base64.urlsafe_b64encode(raw).decode().rstrip("="), *SCOPE)
