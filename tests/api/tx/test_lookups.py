"""Answers of the lookups, field by field, on a real PostgreSQL and with real tokens."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from tests.admin_api import EPOCH, AdminApi, ledger, order, pair, payment

TX_KEYS = [
    "tx_id",
    "event_time",
    "entry_type",
    "amount",
    "amount_signed",
    "status",
    "status_group",
    "sender_wallet_id",
    "receiver_wallet_id",
    "related",
    "paired_tx_id",
    "merchant_name",
    "pairing_status",
    "data_lag_sec",
]
PAY_ITEM = {
    "tx_id": "po-1-pay",
    "event_time": "2026-02-05T03:00:00Z",
    "entry_type": "PAYMENT",
    "amount": "10.00",
    "amount_signed": "-10.00",
    "wallet_id": "w-payer",
    "status": "SETTLED",
    "status_group": "SUCCESS",
    "paired_tx_id": "po-1-rcv",
    "pairing_status": "COMPLETE",
    "data_lag_sec": 3,
}
RECEIVE_ITEM = PAY_ITEM | {
    "tx_id": "po-1-rcv",
    "entry_type": "RECEIVE",
    "amount_signed": "10.00",
    "wallet_id": "w-payee",
    "paired_tx_id": "po-1-pay",
}


def test_a_paired_transaction_has_all_fields(api: AdminApi) -> None:
    payment(api.database)
    answered = api.get("/admin/tx/po-1-pay")
    assert answered.status_code == 200
    assert answered.headers["content-type"] == "application/json"
    assert answered.headers["cache-control"] == "no-store"
    assert list(answered.json()) == TX_KEYS
    assert answered.json() == {
        "tx_id": "po-1-pay",
        "event_time": "2026-02-05T03:00:00Z",
        "entry_type": "PAYMENT",
        "amount": "10.00",
        "amount_signed": "-10.00",
        "status": "SETTLED",
        "status_group": "SUCCESS",
        "sender_wallet_id": "w-payer",
        "receiver_wallet_id": "w-payee",
        "related": {"related_id": "po-1", "related_type": "PAYMENT_ORDER"},
        "paired_tx_id": "po-1-rcv",
        "merchant_name": "Haneul Coffee",
        "pairing_status": "COMPLETE",
        "data_lag_sec": 3,
    }


def test_both_sides_show_the_same_payment(api: AdminApi) -> None:
    payment(api.database)
    body = api.get("/admin/tx/po-1-rcv").json()
    assert (body["sender_wallet_id"], body["receiver_wallet_id"], body["paired_tx_id"]) == (
        "w-payer",
        "w-payee",
        "po-1-pay",
    )


def test_a_lone_entry_has_all_keys_and_its_own_wallet(api: AdminApi) -> None:
    ledger(api.database, "t-1", entry_type="CHARGE", amount="7.5", amount_signed=None)
    assert api.get("/admin/tx/t-1").json() == {
        "tx_id": "t-1",
        "event_time": "2026-02-05T03:00:00Z",
        "entry_type": "CHARGE",
        "amount": "7.50",
        "amount_signed": None,
        "status": None,
        "status_group": "UNKNOWN",
        "sender_wallet_id": None,
        "receiver_wallet_id": "w-1",
        "related": None,
        "paired_tx_id": None,
        "merchant_name": None,
        "pairing_status": "UNKNOWN",
        "data_lag_sec": 3,
    }


@pytest.mark.parametrize(
    ("entry_type", "signed", "sender", "receiver"),
    [
        ("WITHDRAW", "-5", "w-1", None),
        ("CHARGE", "5", None, "w-1"),
        ("CHARGE", "-5", "w-1", None),  # the sign counts, not the type
        ("WITHDRAW", None, "w-1", None),
        ("SOMETHING", None, None, None),
        ("HOLD", "0", None, None),
    ],
)
def test_an_unpaired_entry_fills_the_side_of_its_sign(
    api: AdminApi, entry_type: str, signed: str | None, sender: str | None, receiver: str | None
) -> None:
    ledger(api.database, "t-1", entry_type=entry_type, amount_signed=signed)
    body = api.get("/admin/tx/t-1").json()
    assert (body["sender_wallet_id"], body["receiver_wallet_id"]) == (sender, receiver)


@pytest.mark.parametrize(
    ("related_type", "has_order", "shown", "pairing", "paired"),
    [
        ("PAYMENT_ORDER", True, "PAYMENT_ORDER", "COMPLETE", "t-rcv"),
        ("PAYMENT_ORDER", False, "PAYMENT_ORDER", "COMPLETE", "t-rcv"),
        (None, True, "PAYMENT_ORDER", "COMPLETE", "t-rcv"),
        ("", True, "PAYMENT_ORDER", "COMPLETE", "t-rcv"),
        (None, False, "UNKNOWN", "COMPLETE", "t-rcv"),
        ("REFUND", True, "REFUND", "UNKNOWN", None),
    ],
)
def test_sides_without_a_pair_row_find_each_other(
    api: AdminApi, related_type: str | None, has_order: bool, shown: str, pairing: str, paired: str | None
) -> None:
    if has_order:
        order(api.database, "po-9")
    ledger(api.database, "t-pay", related_id="po-9", related_type=related_type)
    ledger(
        api.database,
        "t-rcv",
        entry_type="RECEIVE",
        wallet_id="w-2",
        amount_signed="10",
        related_id="po-9",
        related_type=related_type,
    )
    body = api.get("/admin/tx/t-pay").json()
    assert body["related"] == {"related_id": "po-9", "related_type": shown}
    assert (body["pairing_status"], body["paired_tx_id"]) == (pairing, paired)
    assert body["sender_wallet_id"] == "w-1"
    assert body["receiver_wallet_id"] == ("w-2" if paired else None)


def test_an_incomplete_payment_names_the_side_it_has(api: AdminApi) -> None:
    order(api.database, "po-9", status="pending ")
    ledger(api.database, "t-pay", related_id="po-9", related_type="PAYMENT_ORDER")
    pair(api.database, "po-9", payment_tx_id="t-pay", payer_wallet_id="w-1")
    body = api.get("/admin/tx/t-pay").json()
    assert (body["pairing_status"], body["paired_tx_id"]) == ("INCOMPLETE", None)
    assert (body["sender_wallet_id"], body["receiver_wallet_id"]) == ("w-1", None)
    assert (body["status"], body["status_group"]) == ("pending ", "IN_PROGRESS")


def test_a_pair_counts_before_its_order_has_come(api: AdminApi) -> None:
    ledger(api.database, "t-pay", related_id="po-9")
    pair(api.database, "po-9", payment_tx_id="t-pay", payer_wallet_id="w-1")
    body = api.get("/admin/tx/t-pay").json()
    assert body["related"] == {"related_id": "po-9", "related_type": "PAYMENT_ORDER"}
    assert (body["status"], body["pairing_status"]) == (None, "INCOMPLETE")


def test_an_entry_of_another_type_in_an_order_has_no_other_side(api: AdminApi) -> None:
    payment(api.database)
    ledger(api.database, "t-fee", entry_type="FEE", related_id="po-1", related_type="PAYMENT_ORDER")
    body = api.get("/admin/tx/t-fee").json()
    assert (body["pairing_status"], body["paired_tx_id"]) == ("COMPLETE", None)
    assert (body["sender_wallet_id"], body["receiver_wallet_id"]) == ("w-payer", "w-payee")


STATUSES = {
    "SUCCESS": ["SETTLED", "COMPLETED", "SUCCESS", "SUCCEEDED", "PAID", " paid "],
    "FAIL": ["FAILED", "CANCELLED", "CANCELED", "REJECTED", "DECLINED", "declined"],
    "IN_PROGRESS": ["CREATED", "PENDING", "PROCESSING", "AUTHORIZED"],
    "UNKNOWN": ["REFUNDED", " ", "PAID?"],
}


def test_every_status_has_its_group(api: AdminApi) -> None:
    expected = {}
    for group, statuses in STATUSES.items():
        for number, status in enumerate(statuses):
            order(api.database, f"{group}-{number}", status=status)
            expected[f"{group}-{number}"] = group
    found = {name: api.get(f"/admin/payment-orders/{name}").json()["order"]["status_group"] for name in expected}
    assert found == expected


@pytest.mark.parametrize(
    ("updated", "ingested", "lag"),
    [(None, 3.9, 3), (2, 3, 1), (-100, 0, 100), (None, -5, 0), (50, 3, 0)],
)
def test_the_lag_is_that_of_the_row_and_never_negative(
    api: AdminApi, updated: float | None, ingested: float, lag: int
) -> None:
    ledger(
        api.database,
        "t-1",
        updated_at=None if updated is None else EPOCH + timedelta(seconds=updated),
        ingested_at=EPOCH + timedelta(seconds=ingested),
    )
    assert api.get("/admin/tx/t-1").json()["data_lag_sec"] == lag


def test_amounts_and_times_keep_their_digits(api: AdminApi) -> None:
    ledger(
        api.database,
        "t-1",
        amount="9999999999999999.99",
        amount_signed="-9999999999999999.99",
        event_time=EPOCH + timedelta(microseconds=882153),
    )
    answered = api.get("/admin/tx/t-1")
    body = answered.json()
    assert (body["amount"], body["amount_signed"]) == ("9999999999999999.99", "-9999999999999999.99")
    assert body["event_time"] == "2026-02-05T03:00:00.882153Z"
    assert json.loads(answered.text, parse_float=lambda _: pytest.fail("a float in the answer")) == body


# Orders


def test_an_order_has_its_fields_and_its_entries(api: AdminApi) -> None:
    payment(api.database)
    answered = api.get("/admin/payment-orders/po-1")
    assert answered.status_code == 200
    assert answered.json() == {
        "order": {
            "order_id": "po-1",
            "user_id": "u-1",
            "merchant_name": "Haneul Coffee",
            "amount": "10.00",
            "status": "SETTLED",
            "status_group": "SUCCESS",
            "created_at": "2026-02-05T03:00:00Z",
        },
        "ledger_entries": [PAY_ITEM, RECEIVE_ITEM],
        "pairing_status": "COMPLETE",
        "count": 2,
        "next_cursor": None,
    }


def test_an_order_without_entries_is_found(api: AdminApi) -> None:
    order(api.database, "po-2", user_id=None, merchant_name=None)
    body = api.get("/admin/payment-orders/po-2").json()
    assert (body["order"]["user_id"], body["order"]["merchant_name"]) == (None, None)
    assert (body["ledger_entries"], body["pairing_status"], body["count"]) == ([], "UNKNOWN", 0)
    assert api.audit()[-1]["result_count"] == 0


def test_entries_without_an_order_are_not_found(api: AdminApi) -> None:
    ledger(api.database, "t-pay", related_id="po-9", related_type="PAYMENT_ORDER")
    assert api.get("/admin/payment-orders/po-9").status_code == 404


def test_an_order_with_one_side_is_incomplete(api: AdminApi) -> None:
    order(api.database, "po-9")
    ledger(api.database, "t-pay", related_id="po-9")
    ledger(api.database, "t-x", related_id="po-9", related_type="COUPON")
    body = api.get("/admin/payment-orders/po-9").json()
    assert body["pairing_status"] == "INCOMPLETE"
    assert [(entry["tx_id"], entry["pairing_status"]) for entry in body["ledger_entries"]] == [
        ("t-pay", "INCOMPLETE"),
        ("t-x", "UNKNOWN"),
    ]


@pytest.mark.parametrize("related_type", [None, "", "PAYMENT_ORDER", "COUPON"])
def test_all_routes_agree_on_an_entry_without_order_and_pair(api: AdminApi, related_type: str | None) -> None:
    ledger(api.database, "t-pay", related_id="po-9", related_type=related_type)
    (item,) = api.get("/admin/wallets/w-1/tx").json()["entries"]
    body = api.get("/admin/tx/t-pay").json()
    shared = body.keys() & item.keys()
    assert {name: body[name] for name in shared} == {name: item[name] for name in shared}
    assert body["pairing_status"] == ("UNKNOWN" if related_type == "COUPON" else "INCOMPLETE")


def test_all_routes_agree_where_the_pair_row_is_missing(api: AdminApi) -> None:
    order(api.database, "po-9")
    ledger(api.database, "t-pay", related_id="po-9")
    ledger(api.database, "t-rcv", entry_type="RECEIVE", wallet_id="w-2", related_id="po-9")
    by_order = api.get("/admin/payment-orders/po-9").json()
    by_wallet = api.get("/admin/wallets/w-2/tx").json()["entries"]
    by_tx = api.get("/admin/tx/t-rcv").json()
    assert by_order["pairing_status"] == by_tx["pairing_status"] == by_wallet[0]["pairing_status"] == "COMPLETE"
    assert by_wallet[0] == by_order["ledger_entries"][1]


def test_of_several_candidates_the_newest_then_the_smallest_id_is_shown(api: AdminApi) -> None:
    order(api.database, "po-9")
    ledger(api.database, "t-pay", related_id="po-9")
    for tx_id, minutes in (("r-old", 0), ("r-b", 5), ("r-B", 5)):
        ledger(
            api.database,
            tx_id,
            entry_type="RECEIVE",
            wallet_id=tx_id,
            related_id="po-9",
            event_time=EPOCH + timedelta(minutes=minutes),
        )
    assert api.get("/admin/tx/t-pay").json()["paired_tx_id"] == "r-B"


# Wallets


def test_a_wallet_has_its_entries_with_status_and_counterparty(api: AdminApi) -> None:
    payment(api.database)
    answered = api.get("/admin/wallets/w-payer/tx")
    assert answered.json() == {"wallet_id": "w-payer", "entries": [PAY_ITEM], "count": 1, "next_cursor": None}


def test_an_unknown_wallet_has_no_entries(api: AdminApi) -> None:
    answered = api.get("/admin/wallets/nobody/tx")
    assert answered.status_code == 200
    assert answered.json() == {"wallet_id": "nobody", "entries": [], "count": 0, "next_cursor": None}


@pytest.mark.parametrize(
    ("bounds", "found"),
    [
        ({"from": "2026-02-05T03:01:00Z", "to": "2026-02-05T03:02:00Z"}, ["t-2", "t-1"]),
        ({"from": "2026-02-05T12:01:00+09:00", "to": "2026-02-05T12:02:00+09:00"}, ["t-2", "t-1"]),
        ({"from": "2026-02-05T03:02:00.000001Z"}, ["t-3"]),
        ({"to": "2026-02-05T03:00:59.999999Z"}, ["t-0"]),
        ({"from": str(int(EPOCH.timestamp()) + 120)}, ["t-3", "t-2"]),
        ({"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z"}, ["t-3", "t-2", "t-1", "t-0"]),
    ],
)
def test_both_ends_of_a_range_are_included(api: AdminApi, bounds: dict[str, str], found: list[str]) -> None:
    for minute in range(4):
        ledger(api.database, f"t-{minute}", event_time=EPOCH + timedelta(minutes=minute))
    body = api.get("/admin/wallets/w-1/tx", bounds).json()
    assert [entry["tx_id"] for entry in body["entries"]] == found


def test_twenty_rows_by_default_and_a_hundred_at_most(api: AdminApi) -> None:
    api.database.sql(
        "insert into bo.ledger_entries (tx_id, wallet_id, entry_type, amount, event_time, created_at, row_digest)"
        " select 't-' || n, 'w-1', 'CHARGE', 1, now(), now(), decode(repeat('00', 16), 'hex')"
        " from generate_series(1, 150) as n"
    )
    assert api.get("/admin/wallets/w-1/tx").json()["count"] == 20
    assert api.get("/admin/wallets/w-1/tx", {"limit": 100}).json()["count"] == 100
    assert api.get("/admin/wallets/w-1/tx", {"limit": 1}).json()["count"] == 1


# Search


def test_search_takes_any_id(api: AdminApi) -> None:
    payment(api.database, "po/1 ä")
    ledger(api.database, "same", wallet_id="same")
    order(api.database, "same")

    def found(query: str) -> list[tuple[str, str]]:
        body = api.get("/admin/search", {"q": query}).json()
        assert body["query"] == query
        assert body["count"] == len(body["results"])
        return [(result["resource_type"], result["href"]) for result in body["results"]]

    assert found("same") == [
        ("TX", "/admin/tx/same"),
        ("PAYMENT_ORDER", "/admin/payment-orders/same"),
        ("WALLET", "/admin/wallets/same/tx"),
    ]
    assert found("w-payer") == [("WALLET", "/admin/wallets/w-payer/tx")]
    assert found("nothing") == []
    ((kind, href),) = found("po/1 ä")
    assert kind == "PAYMENT_ORDER"
    assert api.get(href).json()["order"]["order_id"] == "po/1 ä"


@pytest.mark.parametrize(
    "odd", ["a b", "a%2Fb", "ä", "\u200b", "'; drop table bo.ledger_entries; --", "..%", "a+b", "€" * 255]
)
def test_ids_are_taken_literally(api: AdminApi, odd: str) -> None:
    ledger(api.database, odd, wallet_id=odd)
    assert api.get(f"/admin/tx/{quote(odd, safe='')}").json()["tx_id"] == odd
    assert api.get(f"/admin/wallets/{quote(odd, safe='')}/tx").json()["count"] == 1
    assert [row["resource_id"] for row in api.audit()] == [odd, odd]


# Not found, and the content of problem details


@pytest.mark.parametrize(
    ("path", "detail", "code"),
    [
        ("/admin/tx/none", "tx_id not found", "tx_not_found"),
        ("/admin/payment-orders/none", "order_id not found", "order_not_found"),
        ("/admin/nothing", "Not Found", "not_found"),
        ("/", "Not Found", "not_found"),
        ("/admin/tx", "Not Found", "not_found"),
    ],
)
def test_a_missing_object_is_a_problem(api: AdminApi, path: str, detail: str, code: str) -> None:
    answered = api.get(path)
    body: dict[str, Any] = answered.json()
    assert answered.status_code == 404
    assert answered.headers["content-type"] == "application/problem+json"
    assert body == {
        "type": f"urn:plura:problem:{code.replace('_', '-')}",
        "title": "Not Found",
        "status": 404,
        "detail": detail,
        "code": code,
        "correlation_id": answered.headers["x-correlation-id"],
    }


def test_a_wrong_method_names_the_right_one(api: AdminApi) -> None:
    answered = api.client.post("/admin/tx/t-1")
    assert answered.status_code == 405
    assert answered.headers["allow"] == "GET"
    assert answered.json()["code"] == "method_not_allowed"
