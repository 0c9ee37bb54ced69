"""A payment order in responses."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from plura.tx.api.entries import ENTRY_EXAMPLE, LedgerEntryItem, PairingStatus, StatusGroup
from plura.tx.api.schemas import Money


class OrderInfo(BaseModel):
    """A payment order."""

    order_id: str
    user_id: str | None
    merchant_name: str | None
    amount: Money
    status: str = Field(description="As its source wrote it.")
    status_group: StatusGroup
    created_at: datetime


class AdminOrderResponse(BaseModel):
    """A payment order with its ledger entries, the newest first."""

    order: OrderInfo
    ledger_entries: list[LedgerEntryItem]
    pairing_status: PairingStatus
    count: int = Field(description="Number of entries of this page.")
    next_cursor: str | None = Field(description="Cursor of the next page; null on the last page.")


EXAMPLE: dict[str, Any] = {
    "order": {
        "order_id": "po-1",
        "user_id": "w-payer-1",
        "merchant_name": "Haneul Coffee",
        "amount": "10000.00",
        "status": "SETTLED",
        "status_group": "SUCCESS",
        "created_at": "2026-02-05T03:39:37Z",
    },
    "ledger_entries": [ENTRY_EXAMPLE],
    "pairing_status": "COMPLETE",
    "count": 1,
    "next_cursor": None,
}
