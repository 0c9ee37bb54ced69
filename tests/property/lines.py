"""Lines as sources write them, with usual values where a test names none, on the days of the histories."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from tests.oracle.clock import day_start
from tests.property.histories import Load
from tests.property.rulebooks import FIRST_DAY

Record = dict[str, Any]


def day(n: int) -> date:
    """The n-th KST day of the histories."""
    return FIRST_DAY + timedelta(days=n)


def at(n: int, hour: float = 0) -> str:
    """Hours after the start of the n-th KST day."""
    return (day_start(day(n)) + timedelta(hours=hour)).isoformat()


def entry(created_at: str, **fields: Any) -> Record:
    """A ledger line: wallet w1 is charged 10 in the entry t1."""
    usual = {"tx_id": "t1", "wallet_id": "w1", "type": "CHARGE", "amount": "10.00", "created_at": created_at}
    return usual | fields


def snapshot(extracted_at: str, **fields: Any) -> Record:
    """A wallet line: w1 holds 10."""
    usual = {"user_id": "w1", "balance": "10.00", "frozen_amount": "0", "source_extracted_at": extracted_at}
    return usual | fields


def payment_order(created_at: str, **fields: Any) -> Record:
    """A payment order line: w1 has paid 10 at the cafe."""
    usual = {"order_id": "po_1", "user_id": "w1", "merchant_name": "cafe", "amount": "10.00", "status": "PAID"}
    return usual | {"created_at": created_at} | fields


def order(created_at: str, **fields: Any) -> Record:
    """A commerce order line."""
    usual = {"order_id": 1, "user_id": "w1", "total_amount": "10.00", "status": "PAID", "created_at": created_at}
    return usual | fields


def item(extracted_at: str, **fields: Any) -> Record:
    """A line of the commerce order 1: one piece of product 1."""
    usual = {"item_id": 1, "order_id": 1, "product_id": 1, "quantity": 1, "price_at_purchase": "10.00"}
    return usual | {"source_extracted_at": extracted_at} | fields


def product(extracted_at: str, **fields: Any) -> Record:
    """A product line: beans."""
    usual = {"product_id": 1, "product_name": "bean", "category": "BEANS", "price_krw": "10.00", "is_display": True}
    return usual | {"source_extracted_at": extracted_at} | fields


def loaded(**files: Iterable[Record]) -> Load:
    """A load of lines by source."""
    return Load(files={source: list(lines) for source, lines in files.items()})
