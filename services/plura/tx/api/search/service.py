"""Search by any id."""

from __future__ import annotations

from urllib.parse import quote

from plura.tx.api.search.schemas import AdminSearchResponse, Hit
from plura.tx.api.statements import Statements
from plura.tx.api.visit import Visit

_PATHS = {
    "TX": "/admin/tx/{}",
    "PAYMENT_ORDER": "/admin/payment-orders/{}",
    "WALLET": "/admin/wallets/{}/tx",
}


class SearchService:
    """Tells what an id names."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def find(self, visit: Visit, *, query: str) -> AdminSearchResponse:
        """Return all things whose id is ``query``, and record the search.

        Raises:
            UnavailableError: it could not be looked up and recorded.
        """
        rows = await self._statements.rows("search", "ledger_entries", {**visit.audited(), "id": query})
        hits = [Hit(resource_type=kind, id=query, href=_PATHS[kind].format(quote(query, safe=""))) for (kind,) in rows]
        return AdminSearchResponse(query=query, results=hits, count=len(hits))
