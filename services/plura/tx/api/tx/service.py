"""The lookup of a transaction."""

from __future__ import annotations

from plura.tx.api.entries import TracedEntry, status_group
from plura.tx.api.statements import Statements
from plura.tx.api.tx.errors import TxNotFoundError
from plura.tx.api.tx.schemas import AdminTxResponse, Related
from plura.tx.api.visit import Visit


class TxService:
    """Finds transactions by id."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def find(self, visit: Visit) -> AdminTxResponse:
        """Return the transaction that ``visit`` asks for, and record that.

        Raises:
            TxNotFoundError: there is none; that is recorded too.
            UnavailableError: it could not be looked up and recorded.
        """
        return told(await self.entry(visit))

    async def entry(self, visit: Visit) -> TracedEntry:
        """Return the ledger entry that ``visit`` asks for, and record that. Errors are those of ``find``."""
        rows = await self._statements.rows("tx", "ledger_entries", visit.audited())
        if not rows:
            raise TxNotFoundError
        return TracedEntry._make(rows[0])


def told(entry: TracedEntry) -> AdminTxResponse:
    """Return the API's response for ``entry``."""
    sender, receiver = entry.sides
    return AdminTxResponse(
        tx_id=entry.tx_id,
        event_time=entry.event_time,
        entry_type=entry.entry_type,
        amount=entry.amount,
        amount_signed=entry.amount_signed,
        status=entry.order_status,
        status_group=status_group(entry.order_status),
        sender_wallet_id=sender,
        receiver_wallet_id=receiver,
        related=(
            Related(related_id=entry.related_id, related_type=entry.shown_related_type) if entry.related_id else None
        ),
        paired_tx_id=entry.paired_tx_id,
        merchant_name=entry.merchant_name,
        pairing_status=entry.pairing_status,
        data_lag_sec=entry.data_lag_sec,
    )
