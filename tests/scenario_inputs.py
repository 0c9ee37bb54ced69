"""Inputs of the reference's scenarios: the situations of each, with people, amounts and times of our own.

What each situation is stands in docs/decisions/0011-reference-scenarios.md. A source without lines has no file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

Line = dict[str, Any]
Lines = dict[str, list[Line]]

PAYER, SHOP, SAVER, ISSUER = "payer_1", "shop_1", "saver_1", "issuer_1"
CATEGORIES = ("tea", "bread", "milk", "rice")

FIRST_ORDER = 7001
_PRODUCT, _ITEM = 41, 801
_CHEAPEST, _STEP = 300, 20


def kst(clock: str, day: str = "2026-02-01") -> str:
    """Text of a KST wall clock time."""
    return f"{day}T{clock}+09:00"


def won(amount: float | str) -> str:
    """Amount as the sources write it."""
    return amount if isinstance(amount, str) else f"{amount:.2f}"


def price(number: int) -> int:
    """Price of the standard purchase of a number: 300, 320, 340, …"""
    return _CHEAPEST + _STEP * number


def entry(tx: str | None, wallet: str, kind: str, amount: float | str | None, at: str | None, related: Any) -> Line:
    """A ledger line."""
    booked = None if amount is None else won(amount)
    return {"tx_id": tx, "wallet_id": wallet, "type": kind, "amount": booked, "related_id": related, "created_at": at}


def transfer(order: str, amount: float | str, at: str, *, seller: str = SHOP) -> list[Line]:
    """Both sides of a purchase."""
    return [
        entry(f"out_{order}", PAYER, "PAYMENT", amount, at, order),
        entry(f"in_{order}", seller, "RECEIVE", amount, at, order),
    ]


def wallet(user: str | None, balance: float, **more: Any) -> Line:
    """A wallet line."""
    return {"user_id": user, "balance": won(balance), "frozen_amount": "0.00"} | more


def payment(order: str, amount: float | str, at: str, status: str | None = "PAID") -> Line:
    """A payment order."""
    return {
        "order_id": order,
        "user_id": PAYER,
        "merchant_name": "Corner Shop",
        "amount": won(amount),
        "status": status,
        "created_at": at,
    }


def commerce(order: int, amount: float, at: str) -> Line:
    """A commerce order."""
    return {"order_id": order, "user_id": PAYER, "total_amount": won(amount), "status": "PAID", "created_at": at}


def item(number: int, order: int, product: int, quantity: int, amount: float) -> Line:
    """A line of a commerce order."""
    return {
        "item_id": number,
        "order_id": order,
        "product_id": product,
        "quantity": quantity,
        "price_at_purchase": won(amount),
    }


def products(count: int) -> list[Line]:
    """Products, each of a category of its own."""
    return [
        {
            "product_id": _PRODUCT + number,
            "product_name": f"Fine {category}",
            "price_krw": won(price(number)),
            "stock_quantity": 3 + number,
            "category": category,
            "is_display": True,
        }
        for number, category in enumerate(CATEGORIES[:count])
    ]


def purchases(count: int, *, first: int = FIRST_ORDER, at: Callable[[int], str] | None = None) -> Lines:
    """Purchases two minutes apart from 09:00 KST on: both sides in the ledger, and their orders with one line each."""
    instant = at or (lambda number: kst(f"09:{2 * number:02}:00"))
    lines: Lines = {"transaction_ledger": [], "payment_orders": [], "orders": [], "order_items": []}
    for number in range(count):
        order, amount, when = first + number, price(number), instant(number)
        lines["transaction_ledger"] += transfer(f"po_{order}", amount, when)
        lines["payment_orders"].append(payment(f"po_{order}", amount, when))
        lines["orders"].append(commerce(order, amount, when))
        product = _PRODUCT + number % len(CATEGORIES)
        lines["order_items"].append(item(_ITEM + order - FIRST_ORDER, order, product, 1, amount))
    return lines


def three_wallets(**more: Any) -> list[Line]:
    """Wallets of the payer, the shop, and somebody who does nothing."""
    return [wallet(PAYER, 5000, **more), wallet(SHOP, 700, **more), wallet(SAVER, 60, **more)]


def ledger_of(count: int) -> list[Line]:
    """Ledger lines of the standard purchases."""
    return purchases(count)["transaction_ledger"]


def one_day_normal() -> Lines:
    """Five purchases after one extract of three wallets."""
    return purchases(5) | {"user_wallets": three_wallets(), "products": products(4)}


def drift_mismatch() -> Lines:
    """Three purchases, and balances that show none of them; the first is of the instant of the extract."""
    bought = purchases(3)
    return {key: bought[key] for key in ("transaction_ledger", "payment_orders")} | {"user_wallets": three_wallets()}


def backfill_two_days() -> Lines:
    """Three purchases on each of two days, and the same balances extracted on both."""
    first = purchases(3)
    second = purchases(3, first=FIRST_ORDER + 100, at=lambda number: kst(f"09:{2 * number:02}:00", "2026-02-02"))
    days = [line for day in ("2026-02-01", "2026-02-02") for line in three_wallets(updated_at=kst("09:00:00", day))]
    return {key: first[key] + second[key] for key in first} | {"user_wallets": days, "products": products(4)}


def supply_mismatch() -> Lines:
    """4,000 issued and 250 taken back by a wallet without an extract; 900 in the wallets."""
    bought = purchases(2)
    issued = [
        entry("mint_1", ISSUER, "MINT", 4000, kst("10:00:00"), None),
        entry("burn_1", ISSUER, "BURN", 250, kst("10:05:00"), None),
    ]
    wallets = [wallet(PAYER, 500), wallet(SHOP, 400)]
    return bought | {"transaction_ledger": bought["transaction_ledger"] + issued, "user_wallets": wallets}


def stale_source() -> Lines:
    """Nothing new for a week."""
    return purchases(3, at=lambda _: kst("09:00:00", "2026-01-25"))


def zero_window() -> Lines:
    """Orders, and no line of the ledger."""
    bought = purchases(3)
    return {key: bought[key] for key in ("orders", "order_items")}


def gating_effect() -> Lines:
    """Wallets that were last extracted a week ago, and no line of the ledger."""
    orders = purchases(3, at=lambda _: kst("09:00:00", "2026-01-25"))["orders"]
    return {"orders": orders, "user_wallets": three_wallets(updated_at=kst("09:00:00", "2026-01-25"))}


def dup_tx_id() -> Lines:
    """Six purchases, both lines of the first one delivered twice."""
    bought = purchases(6)
    ledger = bought["transaction_ledger"]
    return bought | {
        "transaction_ledger": ledger + ledger[:2],
        "user_wallets": [wallet(PAYER, 5000), wallet(SHOP, 700)],
    }


def tx_id_multi_entry() -> Lines:
    """Two purchases, and one entry that comes a second time with another amount."""
    twice = [entry("fee_1", PAYER, "PAYMENT", amount, kst("09:30:00"), "po_fee_1") for amount in (7, 9)]
    return {"transaction_ledger": ledger_of(2) + twice}


def missing_required() -> Lines:
    """Four purchases and an entry without tx_id; three wallets and one without a user."""
    bought = purchases(4)
    nameless = entry(None, PAYER, "PAYMENT", 5, kst("09:30:00"), None)
    return {
        "transaction_ledger": [*bought["transaction_ledger"], nameless],
        "payment_orders": bought["payment_orders"],
        "orders": bought["orders"],
        "user_wallets": [*three_wallets(), wallet(None, 1)],
    }


def invalid_amount() -> Lines:
    """Four purchases and entries over nothing, over zero and over less; a balance below zero."""
    wrong = [
        entry(f"wrong_{number}", PAYER, "PAYMENT", amount, kst("09:30:00"), None)
        for number, amount in enumerate((None, 0, -7))
    ]
    return {
        "transaction_ledger": ledger_of(4) + wrong,
        "products": products(2),
        "user_wallets": [*three_wallets(), wallet("debtor_1", -3)],
    }


def unknown_entry_type() -> Lines:
    """Four purchases and an entry of a type that nobody knows."""
    return {"transaction_ledger": [*ledger_of(4), entry("odd_1", PAYER, "GIFT", 12, kst("09:30:00"), None)]}


def missing_event_time() -> Lines:
    """Three purchases and an entry without a time."""
    return {"transaction_ledger": [*ledger_of(3), entry("late_1", PAYER, "PAYMENT", 12, None, None)]}


def bad_records_rate_exceed() -> Lines:
    """One bad line among 51."""
    good = [entry(f"small_{number}", PAYER, "PAYMENT", 3, kst("09:30:00"), None) for number in range(50)]
    bad = entry(None, PAYER, "PAYMENT", 3, kst("09:30:00"), None)
    return {"transaction_ledger": [*good, bad], "user_wallets": [wallet(PAYER, 5000)]}


def status_not_allowed() -> Lines:
    """Four purchases and a payment order in a status that nobody knows."""
    bought = purchases(4)
    lost = payment("po_lost_1", 44, kst("09:30:00"), "LOST")
    return {
        "transaction_ledger": bought["transaction_ledger"],
        "payment_orders": [*bought["payment_orders"], lost],
    }


def status_null_and_invalid() -> Lines:
    """Three payment orders, one whose status is not known yet, and one in a status that nobody knows."""
    more = [payment("po_new_1", 44, kst("09:30:00"), None), payment("po_odd_1", 45, kst("09:30:00"), "MAYBE")]
    return {"payment_orders": purchases(3)["payment_orders"] + more}


def pairing_quality() -> Lines:
    """A whole pair; a group within one wallet; a payment with two receipts; an entry without an order."""
    at = kst("09:00:00")
    ledger = [
        *transfer("po_pair_1", 80, at),
        entry("self_1", PAYER, "PAYMENT", 33, at, "po_pair_2"),
        entry("self_2", PAYER, "RECEIVE", 33, at, "po_pair_2"),
        entry("many_1", PAYER, "PAYMENT", 15, at, "po_pair_3"),
        entry("many_2", SHOP, "RECEIVE", 15, at, "po_pair_3"),
        entry("many_3", SAVER, "RECEIVE", 15, at, "po_pair_3"),
        entry("alone_1", PAYER, "PAYMENT", 6, at, None),
    ]
    orders = [payment("po_pair_1", 80, at), payment("po_pair_2", 33, at)]
    return {"transaction_ledger": ledger, "payment_orders": orders, "products": products(2)}


def analytics_multi_item() -> Lines:
    """An order of three lines, of which two cost the same; no payment order."""
    sold = [(1, 12), (2, 30), (4, 15)]
    return {
        "orders": [commerce(FIRST_ORDER, 132, kst("09:00:00"))],
        "order_items": [
            item(_ITEM + number, FIRST_ORDER, _PRODUCT + number, quantity, amount)
            for number, (quantity, amount) in enumerate(sold)
        ],
        "products": products(3),
    }


def analytics_missing_product() -> Lines:
    """A line of an order with a product that nobody knows, and a purchase at the instant of the extract."""
    return {
        "transaction_ledger": ledger_of(1),
        "order_items": [item(_ITEM, FIRST_ORDER, 999, 1, 300)],
        "user_wallets": [wallet(PAYER, 5000), wallet(SHOP, 700)],
    }


def timezone_boundary() -> Lines:
    """Purchases one minute before midnight in Korea, at midnight, and one minute later."""
    clocks = (kst("23:59:00"), kst("00:00:00", "2026-02-02"), kst("00:01:00", "2026-02-02"))
    bought = purchases(3, at=lambda number: clocks[number])
    return {key: bought[key] for key in ("transaction_ledger", "payment_orders", "orders")}


def hold_release_zero_flow() -> Lines:
    """Money that is held and released."""
    held = [
        entry("hold_1", PAYER, "HOLD", 70, kst("09:00:00"), "po_hold_1"),
        entry("release_1", PAYER, "RELEASE", 70, kst("09:10:00"), "po_hold_1"),
    ]
    return {"transaction_ledger": held}


def large_amount_precision() -> Lines:
    """A purchase, and one of the largest amount that fits."""
    largest, at = f"{'9' * 16}.99", kst("09:30:00")
    bought = purchases(1)
    return {
        "transaction_ledger": bought["transaction_ledger"] + transfer("po_huge_1", largest, at),
        "payment_orders": [*bought["payment_orders"], payment("po_huge_1", largest, at)],
        "products": products(1),
    }


def related_id_type_cast() -> Lines:
    """An order whose id is a number in one source and a text in the others."""
    at, order = kst("09:00:00"), 7500
    return {
        "transaction_ledger": transfer(f"{order}", 300, at),
        "payment_orders": [payment(f"{order}", 300, at)],
        "orders": [commerce(order, 300, at)],
        "order_items": [item(_ITEM, order, _PRODUCT, 1, 300)],
    }


def default() -> Lines:
    """One purchase without its ledger lines, two wallets."""
    bought = purchases(1)
    return {
        "payment_orders": bought["payment_orders"],
        "order_items": bought["order_items"],
        "products": products(1),
        "user_wallets": [wallet(PAYER, 5000), wallet(SHOP, 700)],
    }


_INPUTS: Sequence[Callable[[], Lines]] = (
    one_day_normal,
    drift_mismatch,
    backfill_two_days,
    supply_mismatch,
    stale_source,
    zero_window,
    gating_effect,
    dup_tx_id,
    tx_id_multi_entry,
    missing_required,
    invalid_amount,
    unknown_entry_type,
    missing_event_time,
    bad_records_rate_exceed,
    status_not_allowed,
    status_null_and_invalid,
    pairing_quality,
    analytics_multi_item,
    analytics_missing_product,
    timezone_boundary,
    hold_release_zero_flow,
    large_amount_precision,
    related_id_type_cast,
    default,
)
SCENARIOS = {build.__name__: build for build in _INPUTS}


def scenario_files(name: str) -> dict[str, list[str]]:
    """Lines of a scenario by source, as they stand in its files."""
    return {source: [json.dumps(line) for line in lines] for source, lines in SCENARIOS[name]().items()}
