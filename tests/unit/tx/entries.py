"""Ledger entries as the API reads them, without a database."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from plura.tx.api.entries import TracedEntry

_TIME = datetime(2026, 2, 5, 3, 0, tzinfo=UTC)


def entry(**changed: Any) -> TracedEntry:
    """A payment of 10 by the wallet w-1 without an order, by default."""
    usual: dict[str, Any] = dict.fromkeys(TracedEntry._fields) | {
        "tx_id": "t-1",
        "event_time": _TIME,
        "entry_type": "PAYMENT",
        "amount": Decimal(10),
        "amount_signed": Decimal(-10),
        "wallet_id": "w-1",
        "ingested_at": _TIME,
        "has_pair": False,
    }
    return TracedEntry(**(usual | changed))
