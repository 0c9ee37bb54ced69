"""Random events that meet each other, as many as a test wants."""

from __future__ import annotations

import json
import random
from typing import Any

from tests.transactions.oracle import LEDGER_TOPIC, ORDER_TOPIC
from tests.transactions.storing import Event


def event(dice: random.Random, number: int) -> Event:
    """An event that meets others: few orders, entries that come again in newer and older versions, some of them bad."""
    if dice.random() < 0.02:
        return LEDGER_TOPIC, b"bad event %d" % number
    at = f"2026-02-{dice.randint(1, 28):02}T00:00:00Z"
    order_id = f"o{dice.randint(0, number // 8 + 2)}"
    versions: dict[str, Any] = {"version": dice.randint(0, 9)} if dice.random() < 0.8 else {"updated_at": at}
    if dice.random() < 0.3:
        values = {"order_id": order_id, "amount": dice.randint(1, 99), "status": dice.choice(["CREATED", "SETTLED"])}
        return ORDER_TOPIC, json.dumps(values | versions | {"created_at": at}).encode()
    values = {
        "tx_id": f"t{dice.randint(0, number // 2 + 2)}",
        "wallet_id": f"w{dice.randint(0, 20)}",
        "entry_type": dice.choice(["PAYMENT", "RECEIVE"]),
        "amount": dice.randint(1, 99),
        "related_id": order_id,
    }
    return LEDGER_TOPIC, json.dumps(values | versions | {"event_time": at}).encode()
