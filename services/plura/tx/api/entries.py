"""Ledger entries for administrators: payment status, pairing, sender and receiver, data lag."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel, Field

from plura.tx.api.schemas import Money
from python_jobs.entry_types import SIGNS


class StatusGroup(StrEnum):
    """Group of an order's status."""

    SUCCESS = "SUCCESS"
    FAIL = "FAIL"
    IN_PROGRESS = "IN_PROGRESS"
    UNKNOWN = "UNKNOWN"


class PairingStatus(StrEnum):
    """Whether both sides of a payment are known."""

    COMPLETE = "COMPLETE"
    INCOMPLETE = "INCOMPLETE"
    UNKNOWN = "UNKNOWN"


PAYMENT_ORDER = "PAYMENT_ORDER"
_UNKNOWN_TYPE = "UNKNOWN"

_GROUPS = {
    StatusGroup.SUCCESS: ("SETTLED", "COMPLETED", "SUCCESS", "SUCCEEDED", "PAID"),
    StatusGroup.FAIL: ("FAILED", "CANCELLED", "CANCELED", "REJECTED", "DECLINED"),
    StatusGroup.IN_PROGRESS: ("CREATED", "PENDING", "PROCESSING", "AUTHORIZED"),
}
_GROUP_OF = {status: group for group, statuses in _GROUPS.items() for status in statuses}
_PAYMENT_TYPES = frozenset({"PAYMENT", "RECEIVE"})
_REFUND = "REFUND"


class Sides(NamedTuple):
    """Wallets of sender and receiver, None if unknown."""

    sender: str | None
    receiver: str | None


class TracedEntry(NamedTuple):
    """A row of ``bo.traced_entries``: an entry with its order and its pair."""

    tx_id: str
    event_time: datetime
    entry_type: str
    amount: Decimal
    amount_signed: Decimal | None
    wallet_id: str
    related_id: str | None
    related_type: str | None
    updated_at: datetime | None
    ingested_at: datetime
    order_id: str | None
    order_status: str | None
    merchant_name: str | None
    has_pair: bool
    payment_tx_id: str | None
    receive_tx_id: str | None
    payer_wallet_id: str | None
    payee_wallet_id: str | None

    @property
    def shown_related_type(self) -> str:
        """Related type; ``PAYMENT_ORDER`` if the entry has none but its related id is that of an order."""
        if self.related_type and self.related_type.strip():
            return self.related_type
        return PAYMENT_ORDER if self.order_id is not None or self.has_pair else _UNKNOWN_TYPE

    @property
    def can_be_paired(self) -> bool:
        """Whether the entry can be a side of a payment: it has a related id, of an order or without a type."""
        return bool(self.related_id) and (self.related_type or "").strip() in ("", PAYMENT_ORDER)

    @property
    def pairing_status(self) -> PairingStatus:
        """Whether both sides of the entry's payment are known."""
        if not self.can_be_paired:
            return PairingStatus.UNKNOWN
        complete = self.payment_tx_id is not None and self.receive_tx_id is not None
        return PairingStatus.COMPLETE if complete else PairingStatus.INCOMPLETE

    @property
    def paired_tx_id(self) -> str | None:
        """Id of the entry on the other side of the payment."""
        if not self.can_be_paired:
            return None
        return {"PAYMENT": self.receive_tx_id, "RECEIVE": self.payment_tx_id}.get(self.entry_type)

    @property
    def sign(self) -> int:
        """Direction of the money: -1 from the wallet, 1 to the wallet, 0 if neither amount nor type has a direction."""
        if self.amount_signed is None:
            return SIGNS.get(self.entry_type, 0)
        return int(self.amount_signed.compare(0))

    @property
    def is_refund(self) -> bool:
        """Whether the entry is a refund: ``REFUND_IN``, ``REFUND_OUT`` or any type with that word."""
        return _REFUND in self.entry_type.upper()

    @property
    def sides(self) -> Sides:
        """Wallets of sender and receiver.

        They are those of the payment, unless the entry moves money against its direction: a refund goes from the payee
        to the payer, and of any other such entry only its own wallet is known. An entry without a payment has its own
        wallet on the side of its sign.
        """
        sign, wallet = self.sign, self.wallet_id
        own = Sides(sender=wallet if sign < 0 else None, receiver=wallet if sign > 0 else None)
        if not self.can_be_paired or not (self.payer_wallet_id or self.payee_wallet_id):
            return own
        payment = Sides(sender=self.payer_wallet_id, receiver=self.payee_wallet_id)
        if self.entry_type in _PAYMENT_TYPES:
            return payment
        if self.is_refund:
            sender = own.sender or _unless_same(own.receiver, payment.receiver)
            return Sides(sender=sender, receiver=own.receiver or _unless_same(own.sender, payment.sender))
        against = payment.receiver if sign < 0 else payment.sender
        is_against = sign != 0 and wallet == against and payment.sender != payment.receiver
        return own if is_against else payment

    @property
    def counterparty_wallet_id(self) -> str | None:
        """The wallet on the other side, None if unknown."""
        sender, receiver = self.sides
        if self.wallet_id == sender:
            return receiver
        return sender if self.wallet_id == receiver else None

    @property
    def data_lag_sec(self) -> int:
        """Whole seconds from the entry's last change at the source to its row."""
        return max(0, int((self.ingested_at - (self.updated_at or self.event_time)).total_seconds()))


def _unless_same(wallet: str | None, counterparty: str | None) -> str | None:
    """Return ``counterparty``, None if it is ``wallet``: nobody refunds oneself."""
    return None if counterparty == wallet else counterparty


def status_group(status: str | None) -> StatusGroup:
    """Return the group of ``status``."""
    return _GROUP_OF.get((status or "").strip().upper(), StatusGroup.UNKNOWN)


class LedgerEntryItem(BaseModel):
    """A ledger entry in a list."""

    tx_id: str
    event_time: datetime
    entry_type: str
    amount: Money
    amount_signed: Money | None
    wallet_id: str
    status: str | None = Field(description="Status of the payment order, as its source wrote it.")
    status_group: StatusGroup
    paired_tx_id: str | None = Field(description="Id of the entry on the other side of the payment.")
    pairing_status: PairingStatus
    data_lag_sec: int | None = Field(description="Seconds from the last change at the source until it was stored.")


ENTRY_EXAMPLE: dict[str, Any] = {
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


def item(entry: TracedEntry) -> LedgerEntryItem:
    """Return the entry as an item of a list."""
    return LedgerEntryItem(
        tx_id=entry.tx_id,
        event_time=entry.event_time,
        entry_type=entry.entry_type,
        amount=entry.amount,
        amount_signed=entry.amount_signed,
        wallet_id=entry.wallet_id,
        status=entry.order_status,
        status_group=status_group(entry.order_status),
        paired_tx_id=entry.paired_tx_id,
        pairing_status=entry.pairing_status,
        data_lag_sec=entry.data_lag_sec,
    )
