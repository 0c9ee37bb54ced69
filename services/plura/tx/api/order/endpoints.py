"""``GET /admin/payment-orders/{order_id}``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from plura.tx.api.documented import answers
from plura.tx.api.gate import Gate
from plura.tx.api.order.errors import OrderNotFoundError
from plura.tx.api.order.schemas import AdminOrderResponse
from plura.tx.api.parameters import PLAIN_DIGITS, Cursor, OrderId, limit_query
from plura.tx.api.schemas import answer
from plura.tx.api.services import services_of
from plura.tx.api.visit import Subject, Visit

SUBJECT = Subject(action="ADMIN_ORDER_LOOKUP", resource_type="PAYMENT_ORDER", parameter="order_id")
ROWS = 100

router = APIRouter()


@router.get(
    "/admin/payment-orders/{order_id:text}",
    response_model=AdminOrderResponse,
    responses=answers(OrderNotFoundError()),
    summary="Look up a payment order",
)
async def get_order(
    order_id: OrderId,  # noqa: ARG001  # checked here, read by the gate
    visit: Annotated[Visit, Depends(Gate(SUBJECT))],
    request: Request,
    limit: Annotated[int, limit_query(ROWS), PLAIN_DIGITS] = ROWS,
    cursor: Cursor = None,
) -> Response:
    """Tell an order and its ledger entries. The lookup is recorded, also where it finds none."""
    return answer(await services_of(request).order.find(visit, limit=limit, cursor=cursor))
