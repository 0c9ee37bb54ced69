"""Events of the transaction service in any number: of seven, five are ledger entries and two payment orders."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import md5

_START = datetime(2026, 1, 1, tzinfo=UTC)


def tx_id(number: int) -> str:
    """Id of an entry, the same that ``tx_rows.sql`` makes."""
    return f"tx-{_spread(number)}"


def ledger_event(number: int, *, event_time: datetime | None = None) -> bytes:
    """An entry: of five, four are the sides of two payments, the fifth is a charge."""
    slot = number % 5
    at = event_time or _START + timedelta(milliseconds=number)
    moment = at.isoformat().replace("+00:00", "Z")
    amount = f"{number % 100_000 + 1}.00"
    event = {
        "tx_id": tx_id(number),
        "wallet_id": f"w-{_spread(number % 200_003)}",
        "entry_type": ("PAYMENT", "RECEIVE", "PAYMENT", "RECEIVE", "CHARGE")[slot],
        "amount": amount,
        "amount_signed": f"-{amount}" if slot in (0, 2) else amount,
        "event_time": moment,
        "created_at": moment,
        "updated_at": moment,
        "version": 1,
    }
    if slot < 4:  # noqa: PLR2004  # the fifth
        event |= {"related_id": _order_id(number // 5 * 2 + slot // 2), "related_type": "PAYMENT_ORDER"}
    return json.dumps(event).encode()


def order_event(number: int) -> bytes:
    """The order of a payment."""
    moment = (_START + timedelta(milliseconds=number)).isoformat().replace("+00:00", "Z")
    event = {
        "order_id": _order_id(number),
        "user_id": f"u-{_spread(number % 100_003)}",
        "merchant_name": f"Merchant {number % 5000}",
        "amount": f"{number % 100_000 + 1}.00",
        "status": "SETTLED",
        "created_at": moment,
        "updated_at": moment,
        "version": 1,
    }
    return json.dumps(event).encode()


def mixed_events(count: int) -> Iterator[tuple[str, bytes]]:
    """So many events as they happen, each with its kind: two orders, then the five entries around them."""
    for number in range(count):
        group, slot = divmod(number, 7)
        if slot < 2:  # noqa: PLR2004  # two orders
            yield "payment_order", order_event(group * 2 + slot)
        else:
            yield "ledger", ledger_event(group * 5 + slot - 2)


def _order_id(number: int) -> str:
    return f"po-{_spread(number)}"


def _spread(number: int) -> str:
    return md5(str(number).encode(), usedforsecurity=False).hexdigest()[:16]
