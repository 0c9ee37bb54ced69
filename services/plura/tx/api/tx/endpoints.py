"""``GET /admin/tx/{tx_id}``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from plura.kit.http.answers import answer
from plura.kit.http.audit_context import AuditContext, Subject
from plura.tx.api.authorize import authorize_reader
from plura.tx.api.parameters import TxId
from plura.tx.api.responses import lookup_responses
from plura.tx.api.services import services_of
from plura.tx.api.tx.errors import TxNotFoundError
from plura.tx.api.tx.schemas import AdminTxResponse

SUBJECT = Subject(action="ADMIN_TX_LOOKUP", resource_type="TX", parameter="tx_id")

router = APIRouter()


@router.get(
    "/admin/tx/{tx_id:text}",
    response_model=AdminTxResponse,
    responses=lookup_responses(TxNotFoundError()),
    summary="Look up a transaction",
)
async def get_tx(
    tx_id: TxId,  # noqa: ARG001  # validated here, read by Authorize
    context: Annotated[AuditContext, Depends(authorize_reader(SUBJECT))],
    request: Request,
) -> Response:
    """Return time, sender, receiver and status of a transaction. The lookup is recorded, even if nothing is found."""
    return answer(await services_of(request).tx.find(context))
