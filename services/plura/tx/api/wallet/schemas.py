"""The entries of a wallet as the API tells them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from plura.tx.api.entries import LedgerEntryItem


class AdminWalletTxResponse(BaseModel):
    """Entries of a wallet, the newest first."""

    wallet_id: str
    entries: list[LedgerEntryItem]
    count: int = Field(description="Entries of this page.")
    next_cursor: str | None = Field(description="Where the next page begins; null at the end.")


EXAMPLE: dict[str, Any] = {
    "wallet_id": "w-payer-1",
    "entries": [
        {
            "tx_id": "tx-pay-1",
            "event_time": "2026-02-05T03:39:38.882153Z",
            "entry_type": "PAYMENT",
            "amount": "10000.00",
            "amount_signed": "-10000.00",
            "wallet_id": "w-payer-1",
            "status": "SETTLED",
            "status_group": "SUCCESS",
            "paired_tx_id": "tx-rcv-1",
            "pairing_status": "COMPLETE",
            "data_lag_sec": 1,
        }
    ],
    "count": 1,
    "next_cursor": None,
}
