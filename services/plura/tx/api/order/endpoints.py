"""``GET /admin/payment-orders/{order_id}``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from plura.kit.http.answers import answer
from plura.kit.http.audit_context import AuditContext, Subject
from plura.kit.http.parameters import PLAIN_DIGITS, Cursor, limit_query
from plura.tx.api.authorize import authorize_reader
from plura.tx.api.order.errors import OrderNotFoundError
from plura.tx.api.order.schemas import AdminOrderResponse
from plura.tx.api.parameters import OrderId
from plura.tx.api.responses import lookup_responses
from plura.tx.api.services import services_of

SUBJECT = Subject(action="ADMIN_ORDER_LOOKUP", resource_type="PAYMENT_ORDER", parameter="order_id")
ROWS = 100

router = APIRouter()


@router.get(
    "/admin/payment-orders/{order_id:text}",
    response_model=AdminOrderResponse,
    responses=lookup_responses(OrderNotFoundError()),
    summary="Look up a payment order",
)
async def get_order(
    order_id: OrderId,  # noqa: ARG001  # validated here, read by Authorize
    context: Annotated[AuditContext, Depends(authorize_reader(SUBJECT))],
    request: Request,
    limit: Annotated[int, limit_query(ROWS), PLAIN_DIGITS] = ROWS,
    cursor: Cursor = None,
) -> Response:
    """Return an order and its ledger entries. The lookup is recorded, even if nothing is found."""
    return answer(await services_of(request).order.find(context, limit=limit, cursor=cursor))
