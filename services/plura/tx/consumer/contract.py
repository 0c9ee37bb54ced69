"""The contract of events: the fields of each kind. Parsing, tables and published schemas follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Type(Enum):
    """How the value of a field is read."""

    ID = "id"
    """Text without control characters, up to 255 characters."""
    WORD = "word"
    """Text up to 255 characters."""
    NAME = "name"
    """Text up to 500 characters."""
    AMOUNT = "amount"
    """A decimal number of two places that is not negative."""
    SIGNED_AMOUNT = "signed amount"
    """A decimal number of two places."""
    TIME = "time"
    """ISO 8601; without a zone it is UTC."""
    VERSION = "version"
    """A whole number of 64 bits."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of an event, and the column it becomes."""

    name: str
    type: Type
    required: bool = False
    stored_as: str = ""
    """Its column, where that has another name."""
    stand_ins: tuple[str, ...] = ()
    """Fields whose value it takes if it has none, in order of preference."""
    about: str
    example: str | int

    @property
    def column(self) -> str:
        """Its column."""
        return self.stored_as or self.name


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of event: its name, topic, table and fields; the first field is the key."""

    name: str
    event: str
    topic: str
    table: str
    about: str
    fields: tuple[Field, ...]

    @property
    def key(self) -> Field:
        """The field that identifies the event's object."""
        return self.fields[0]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of its rows, in order."""
        return tuple(field.column for field in self.fields)


_ORDERING = (
    Field(
        name="updated_at",
        type=Type.TIME,
        example="2026-02-13T01:02:04Z",
        about="When the source last changed it: the latest wins.",
    ),
    Field(
        name="version",
        type=Type.VERSION,
        example=3,
        about="Version in the source: the latest wins where updated_at does not decide.",
        stored_as="source_version",
    ),
)
"""What decides between two events of one key."""

LEDGER = Kind(
    name="ledger",
    event="LedgerEntryUpserted",
    topic="ledger.entry.upserted",
    table="ledger_entries",
    about="An entry of the ledger as it is now. A reversal is an entry of its own.",
    fields=(
        Field(name="tx_id", type=Type.ID, example="tx-20260213-000001", about="Id of the entry.", required=True),
        Field(
            name="wallet_id",
            type=Type.ID,
            example="wallet-0001",
            about="Wallet whose balance the entry moves.",
            required=True,
        ),
        Field(
            name="entry_type",
            type=Type.WORD,
            example="PAYMENT",
            about="What happened; PAYMENT and RECEIVE make pairs.",
            required=True,
        ),
        Field(name="amount", type=Type.AMOUNT, example="10000.00", about="Amount without a sign.", required=True),
        Field(
            name="amount_signed",
            type=Type.SIGNED_AMOUNT,
            example="-10000.00",
            about="Amount with the sign of the wallet's change.",
        ),
        Field(
            name="related_id",
            type=Type.ID,
            example="order-0001",
            about="What the entry belongs to, for a payment its order.",
        ),
        Field(
            name="related_type",
            type=Type.WORD,
            example="PAYMENT_ORDER",
            about="What related_id names; missing: a payment order.",
        ),
        Field(
            name="event_time", type=Type.TIME, example="2026-02-13T01:02:03Z", about="When it happened.", required=True
        ),
        Field(
            name="created_at",
            type=Type.TIME,
            example="2026-02-13T01:02:03Z",
            about="When the source wrote it down; missing: source_created_at, then event_time.",
            stand_ins=("source_created_at", "event_time"),
        ),
        *_ORDERING,
    ),
)

PAYMENT_ORDER = Kind(
    name="payment_order",
    event="PaymentOrderUpserted",
    topic="payment.order.upserted",
    table="payment_orders",
    about="A payment order as it is now. A cancellation is a new status.",
    fields=(
        Field(name="order_id", type=Type.ID, example="order-0001", about="Id of the order.", required=True),
        Field(name="user_id", type=Type.ID, example="user-0001", about="Who pays."),
        Field(name="merchant_name", type=Type.NAME, example="Corner shop", about="Who is paid."),
        Field(name="amount", type=Type.AMOUNT, example="10000.00", about="Amount of the order.", required=True),
        Field(name="status", type=Type.WORD, example="SETTLED", about="Status as the source calls it.", required=True),
        Field(
            name="created_at",
            type=Type.TIME,
            example="2026-02-13T01:02:03Z",
            about="When the order was made.",
            required=True,
        ),
        *_ORDERING,
    ),
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (LEDGER, PAYMENT_ORDER)}
