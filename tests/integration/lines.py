"""Lines as the sources write them, and instants of KST wall clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

Line = dict[str, Any]


def kst(day: date, clock: str) -> str:
    """Text of a KST wall clock time, as a source writes it."""
    return f"{day}T{clock}+09:00"


def instant(day: date, clock: str) -> datetime:
    """The same as an aware instant."""
    return datetime.fromisoformat(kst(day, clock))


def stored(day: date, clock: str) -> datetime:
    """The same as the tables hold it: UTC without a zone."""
    return instant(day, clock).astimezone(UTC).replace(tzinfo=None)


def entry(tx: Any, wallet: Any, kind: Any, amount: Any, at: Any, related: Any = None, **more: Any) -> Line:
    """Ledger line booked at an instant."""
    return {
        "tx_id": tx,
        "wallet_id": wallet,
        "type": kind,
        "amount": amount,
        "related_id": related,
        "created_at": at,
    } | more


def snapshot(user: Any, balance: Any, at: str, **more: Any) -> Line:
    """Wallet line extracted at an instant."""
    return {"user_id": user, "balance": balance, "frozen_amount": 0, "source_extracted_at": at} | more


def payment(order: Any, status: Any, amount: Any, at: Any, **more: Any) -> Line:
    """Payment order of user u1 at Shop A."""
    return {
        "order_id": order,
        "user_id": "u1",
        "merchant_name": "Shop A",
        "amount": amount,
        "status": status,
        "created_at": at,
    } | more


def item(number: Any, order: Any, product: Any, quantity: Any, price: Any, **more: Any) -> Line:
    """Line of a commerce order."""
    return {
        "item_id": number,
        "order_id": order,
        "product_id": product,
        "quantity": quantity,
        "price_at_purchase": price,
    } | more


def product(number: Any, category: Any, price: Any = 1, **more: Any) -> Line:
    """Product of a category."""
    return {"product_id": number, "product_name": f"product {number}", "category": category, "price_krw": price} | more


def three_days(first: date, *mints: Line) -> dict[str, list[Line | str]]:
    """A payment of alice to bob on the first day, their wallets at three midnights, and mints of the treasury."""
    days = [first + timedelta(days=number) for number in range(3)]
    return {
        "user_wallets": [
            *[
                snapshot("alice", balance, kst(day, "00:00:00"))
                for day, balance in zip(days, (100, 90, 90), strict=True)
            ],
            *[snapshot("bob", balance, kst(day, "00:00:00")) for day, balance in zip(days, (0, 10, 7), strict=True)],
        ],
        "transaction_ledger": [
            entry("pay", "alice", "PAYMENT", 10, kst(first, "12:00:00"), "po_1"),
            entry("receive", "bob", "RECEIVE", 10, kst(first, "12:00:00"), "po_1"),
            *mints,
        ],
        "payment_orders": [payment("po_1", "PAID", 10, kst(first, "12:00:00"), user_id="alice")],
        "orders": [{"order_id": 1, "total_amount": 10, "status": "PAID", "created_at": kst(first, "12:00:00")}],
        "order_items": [item(1, 1, 1, 1, 10)],
        "products": [product(1, "BEANS")],
    }
