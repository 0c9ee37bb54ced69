"""The entries of a wallet in responses."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from plura.tx.api.entries import ENTRY_EXAMPLE, LedgerEntryItem


class AdminWalletTxResponse(BaseModel):
    """Entries of a wallet, the newest first."""

    wallet_id: str
    entries: list[LedgerEntryItem]
    count: int = Field(description="Number of entries of this page.")
    next_cursor: str | None = Field(description="Cursor of the next page; null on the last page.")


EXAMPLE: dict[str, Any] = {
    "wallet_id": "w-payer-1",
    "entries": [ENTRY_EXAMPLE],
    "count": 1,
    "next_cursor": None,
}
