"""The lookup of an order."""

from __future__ import annotations

from dataclasses import dataclass

from plura.tx.api.entries import PairingStatus, TracedEntry, item, status_group
from plura.tx.api.order.errors import OrderNotFoundError
from plura.tx.api.order.schemas import AdminOrderResponse, OrderInfo
from plura.tx.api.pages import Page, after
from plura.tx.api.statements import Statements
from plura.tx.api.visit import Visit

_ORDER_COLUMNS = 8


@dataclass(frozen=True, kw_only=True)
class FoundOrder:
    """An order with a page of its ledger entries."""

    order: OrderInfo
    pairing_status: PairingStatus
    page: Page


class OrderService:
    """Finds payment orders by id."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def find(self, visit: Visit, *, limit: int, cursor: str | None) -> AdminOrderResponse:
        """Return the order that ``visit`` asks for with a page of its entries, and record that.

        Raises:
            InvalidRequestError: the cursor belongs to another list.
            OrderNotFoundError: there is none; that is recorded too.
            UnavailableError: it could not be looked up and recorded.
        """
        found = await self.look_up(visit, limit=limit, cursor=cursor)
        return AdminOrderResponse(
            order=found.order,
            ledger_entries=[item(entry) for entry in found.page.entries],
            pairing_status=found.pairing_status,
            count=len(found.page.entries),
            next_cursor=found.page.next_cursor,
        )

    async def look_up(self, visit: Visit, *, limit: int, cursor: str | None) -> FoundOrder:
        """Return the order that ``find`` makes its response from. Errors are those of ``find``."""
        scope = ("order", visit.resource_id)
        parameters = {**visit.audited(), "limit": limit, **after(cursor, *scope)}
        rows = await self._statements.rows("order", "payment_orders", parameters)
        if not rows:
            raise OrderNotFoundError
        order_id, user_id, merchant_name, amount, status, created_at, is_paired, has_entries = rows[0][:_ORDER_COLUMNS]
        entries = [TracedEntry._make(row[_ORDER_COLUMNS:]) for row in rows if row[_ORDER_COLUMNS] is not None]
        page = Page.of(entries, limit, *scope)
        if is_paired or any(one.pairing_status is PairingStatus.COMPLETE for one in page.entries):
            pairing = PairingStatus.COMPLETE
        else:
            pairing = PairingStatus.INCOMPLETE if has_entries else PairingStatus.UNKNOWN
        return FoundOrder(
            order=OrderInfo(
                order_id=order_id,
                user_id=user_id,
                merchant_name=merchant_name,
                amount=amount,
                status=status,
                status_group=status_group(status),
                created_at=created_at,
            ),
            pairing_status=pairing,
            page=page,
        )
