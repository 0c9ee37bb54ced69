"""Search by any id."""

from __future__ import annotations

from urllib.parse import quote

from psycopg.rows import scalar_row

from plura.kit.http.audit_context import AuditContext
from plura.kit.statements import Statements
from plura.tx.api.search.schemas import AdminSearchResponse, Hit

_PATHS = {
    "TX": "/admin/tx/{}",
    "PAYMENT_ORDER": "/admin/payment-orders/{}",
    "WALLET": "/admin/wallets/{}/tx",
}


class SearchService:
    """Finds what has an id."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def find(self, context: AuditContext, *, query: str) -> AdminSearchResponse:
        """Return all objects whose id is ``query``, and record the search.

        Raises:
            UnavailableError: the search could not be made and recorded.
        """
        parameters = {**context.audit_row(), "id": query}
        kinds = await self._statements.rows("search", "ledger_entries", scalar_row, parameters)
        hits = [Hit(resource_type=kind, id=query, href=_PATHS[kind].format(quote(query, safe=""))) for kind in kinds]
        return AdminSearchResponse(query=query, results=hits, count=len(hits))
