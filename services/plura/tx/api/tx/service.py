"""The lookup of a transaction."""

from __future__ import annotations

from plura.kit.http.audit_context import AuditContext
from plura.kit.rows import row_of
from plura.kit.statements import Statements
from plura.tx.api.entries import TracedEntry, status_group
from plura.tx.api.tx.errors import TxNotFoundError
from plura.tx.api.tx.schemas import AdminTxResponse, Related


class TxService:
    """Finds transactions by id."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def find(self, context: AuditContext) -> AdminTxResponse:
        """Return the transaction with the request's id, and record the lookup.

        Raises:
            TxNotFoundError: no transaction has the id; this is recorded too.
            UnavailableError: the lookup could not be made and recorded.
        """
        return response(await self.entry(context))

    async def entry(self, context: AuditContext) -> TracedEntry:
        """Return the ledger entry with the request's id, and record the lookup. Errors are those of ``find``."""
        rows = await self._statements.rows("tx", "ledger_entries", row_of(TracedEntry), context.audit_row())
        if not rows:
            raise TxNotFoundError
        return rows[0]


def response(entry: TracedEntry) -> AdminTxResponse:
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
