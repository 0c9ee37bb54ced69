"""The lookup of an order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from psycopg.rows import RowMaker

from plura.kit.http.audit_context import AuditContext
from plura.kit.rows import row_of
from plura.kit.statements import Statements
from plura.tx.api.entries import PairingStatus, TracedEntry, item, status_group
from plura.tx.api.order.errors import OrderNotFoundError
from plura.tx.api.order.schemas import AdminOrderResponse, OrderInfo
from plura.tx.api.pages import Page, after

_PREFIX = "po_"
"""Prefix of the order's columns in rows of the statement ``order``."""


class OrderRow(NamedTuple):
    """A payment order as the statement ``order`` returns it."""

    order_id: str
    user_id: str | None
    merchant_name: str | None
    amount: Decimal
    status: str
    created_at: datetime
    is_paired: bool
    has_entries: bool


class OrderEntryRow(NamedTuple):
    """A row of the statement ``order``: the order, and an entry unless the page is empty."""

    order: OrderRow
    entry: TracedEntry | None


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

    async def find(self, context: AuditContext, *, limit: int, cursor: str | None) -> AdminOrderResponse:
        """Return the order with the request's id and a page of its entries, and record the lookup.

        Raises:
            InvalidRequestError: the cursor belongs to another list.
            OrderNotFoundError: no order has the id; this is recorded too.
            UnavailableError: the lookup could not be made and recorded.
        """
        found = await self.look_up(context, limit=limit, cursor=cursor)
        return AdminOrderResponse(
            order=found.order,
            ledger_entries=[item(entry) for entry in found.page.entries],
            pairing_status=found.pairing_status,
            count=len(found.page.entries),
            next_cursor=found.page.next_cursor,
        )

    async def look_up(self, context: AuditContext, *, limit: int, cursor: str | None) -> FoundOrder:
        """Return the order that ``find`` makes its response of. Errors are those of ``find``."""
        scope = ("order", context.resource_id)
        parameters = {**context.audit_row(), "limit": limit, **after(cursor, *scope)}
        rows = await self._statements.rows("order", "payment_orders", order_entry_row, parameters)
        if not rows:
            raise OrderNotFoundError
        order = rows[0].order
        page = Page.of([row.entry for row in rows if row.entry is not None], limit, *scope)
        if order.is_paired or any(entry.pairing_status is PairingStatus.COMPLETE for entry in page.entries):
            pairing = PairingStatus.COMPLETE
        else:
            pairing = PairingStatus.INCOMPLETE if order.has_entries else PairingStatus.UNKNOWN
        return FoundOrder(
            order=OrderInfo(
                order_id=order.order_id,
                user_id=order.user_id,
                merchant_name=order.merchant_name,
                amount=order.amount,
                status=order.status,
                status_group=status_group(order.status),
                created_at=order.created_at,
            ),
            pairing_status=pairing,
            page=page,
        )


def order_entry_row(cursor: Any) -> RowMaker[OrderEntryRow]:
    """Make rows of the statement ``order``, by the names of their columns."""
    make_order, make_entry = row_of(OrderRow, prefix=_PREFIX)(cursor), row_of(TracedEntry)(cursor)

    def make(values: Sequence[Any]) -> OrderEntryRow:
        entry = make_entry(values)
        return OrderEntryRow(make_order(values), None if entry.tx_id is None else entry)

    return make
