"""The lookup of a wallet's entries."""

from __future__ import annotations

from datetime import datetime

from plura.kit.http.audit_context import AuditContext
from plura.kit.http.parameters import checked_range
from plura.kit.rows import row_of
from plura.kit.statements import Statements
from plura.tx.api.entries import TracedEntry, item
from plura.tx.api.pages import Page, after
from plura.tx.api.wallet.schemas import AdminWalletTxResponse


class WalletService:
    """Finds the entries of wallets."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def find(
        self,
        context: AuditContext,
        *,
        wallet_id: str,
        start: datetime | None,
        end: datetime | None,
        limit: int,
        cursor: str | None,
    ) -> AdminWalletTxResponse:
        """Return a page of the wallet's entries between two instants, both included, and record the lookup.

        Raises:
            InvalidRequestError: the range ends before it begins, or the cursor belongs to another list.
            UnavailableError: the lookup could not be made and recorded.
        """
        page = await self.page(context, wallet_id=wallet_id, start=start, end=end, limit=limit, cursor=cursor)
        return AdminWalletTxResponse(
            wallet_id=wallet_id,
            entries=[item(entry) for entry in page.entries],
            count=len(page.entries),
            next_cursor=page.next_cursor,
        )

    async def page(
        self,
        context: AuditContext,
        *,
        wallet_id: str,
        start: datetime | None,
        end: datetime | None,
        limit: int,
        cursor: str | None,
    ) -> Page:
        """Return the page that ``find`` makes its response of. Errors are those of ``find``."""
        first, last = checked_range(start, end)
        scope = ("wallet", wallet_id, first, last)
        parameters = {**context.audit_row(), "from": first, "to": last, "limit": limit, **after(cursor, *scope)}
        rows = await self._statements.rows("wallet", "ledger_entries", row_of(TracedEntry), parameters)
        return Page.of(rows, limit, *scope)
