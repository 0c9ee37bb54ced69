"""``GET /admin/wallets/{wallet_id}/tx``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from plura.kit.http.answers import answer
from plura.kit.http.audit_context import AuditContext, Subject
from plura.kit.http.parameters import PLAIN_DIGITS, Cursor, From, To, limit_query
from plura.tx.api.authorize import authorize_reader
from plura.tx.api.parameters import WalletId
from plura.tx.api.responses import lookup_responses
from plura.tx.api.services import services_of
from plura.tx.api.wallet.schemas import AdminWalletTxResponse

SUBJECT = Subject(action="ADMIN_WALLET_TX_LOOKUP", resource_type="WALLET", parameter="wallet_id")
ROWS = 20

router = APIRouter()


@router.get(
    "/admin/wallets/{wallet_id:text}/tx",
    response_model=AdminWalletTxResponse,
    responses=lookup_responses(),
    summary="List the entries of a wallet",
)
async def list_wallet_tx(
    wallet_id: WalletId,
    context: Annotated[AuditContext, Depends(authorize_reader(SUBJECT))],
    request: Request,
    start: From = None,
    end: To = None,
    limit: Annotated[int, limit_query(ROWS), PLAIN_DIGITS] = ROWS,
    cursor: Cursor = None,
) -> Response:
    """Return a wallet's entries, the newest first; an unknown wallet has none. The lookup is recorded."""
    found = await services_of(request).wallet.find(
        context, wallet_id=wallet_id, start=start, end=end, limit=limit, cursor=cursor
    )
    return answer(found)
