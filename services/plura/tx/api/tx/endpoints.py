"""``GET /admin/tx/{tx_id}``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from plura.tx.api.documented import answers
from plura.tx.api.gate import Gate
from plura.tx.api.parameters import TxId
from plura.tx.api.schemas import answer
from plura.tx.api.services import services_of
from plura.tx.api.tx.errors import TxNotFoundError
from plura.tx.api.tx.schemas import AdminTxResponse
from plura.tx.api.visit import Subject, Visit

SUBJECT = Subject(action="ADMIN_TX_LOOKUP", resource_type="TX", parameter="tx_id")

router = APIRouter()


@router.get(
    "/admin/tx/{tx_id:text}",
    response_model=AdminTxResponse,
    responses=answers(TxNotFoundError()),
    summary="Look up a transaction",
)
async def get_tx(
    tx_id: TxId,  # noqa: ARG001  # checked here, read by the gate
    visit: Annotated[Visit, Depends(Gate(SUBJECT))],
    request: Request,
) -> Response:
    """Tell when it happened, from whom to whom, and how it stands. The lookup is recorded, also where it finds none."""
    return answer(await services_of(request).tx.find(visit))
