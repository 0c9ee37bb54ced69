"""The entries of a wallet as the API tells them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from plura.tx.api.entries import ENTRY_EXAMPLE, LedgerEntryItem


class AdminWalletTxResponse(BaseModel):
    """Entries of a wallet, the newest first."""

    wallet_id: str
    entries: list[LedgerEntryItem]
    count: int = Field(description="Entries of this page.")
    next_cursor: str | None = Field(description="Where the next page begins; null at the end.")


EXAMPLE: dict[str, Any] = {
    "wallet_id": "w-payer-1",
    "entries": [ENTRY_EXAMPLE],
    "count": 1,
    "next_cursor": None,
}
