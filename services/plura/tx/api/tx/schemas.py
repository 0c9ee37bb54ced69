"""A transaction in responses."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from plura.tx.api.entries import PairingStatus, StatusGroup
from plura.tx.api.schemas import Money


class Related(BaseModel):
    """The object that a transaction belongs to."""

    related_id: str
    related_type: str


class AdminTxResponse(BaseModel):
    """A ledger entry with its payment: time, sender, receiver and status."""

    tx_id: str
    event_time: datetime
    entry_type: str
    amount: Money
    amount_signed: Money | None
    status: str | None = Field(description="Status of the payment order, as its source wrote it.")
    status_group: StatusGroup
    sender_wallet_id: str | None
    receiver_wallet_id: str | None
    related: Related | None
    paired_tx_id: str | None = Field(description="Id of the entry on the other side of the payment.")
    merchant_name: str | None
    pairing_status: PairingStatus
    data_lag_sec: int | None = Field(description="Seconds from the last change at the source until it was stored.")


EXAMPLE: dict[str, Any] = {
    "tx_id": "tx-pay-1",
    "event_time": "2026-02-05T03:39:38.882153Z",
    "entry_type": "PAYMENT",
    "amount": "10000.00",
    "amount_signed": "-10000.00",
    "status": "SETTLED",
    "status_group": "SUCCESS",
    "sender_wallet_id": "w-payer-1",
    "receiver_wallet_id": "w-payee-1",
    "related": {"related_id": "po-1", "related_type": "PAYMENT_ORDER"},
    "paired_tx_id": "tx-rcv-1",
    "merchant_name": "Haneul Coffee",
    "pairing_status": "COMPLETE",
    "data_lag_sec": 1,
}
