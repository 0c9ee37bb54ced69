"""``GET /admin/search``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from plura.kit.http.answers import answer
from plura.kit.http.audit_context import AuditContext, Subject
from plura.tx.api.authorize import authorize_reader
from plura.tx.api.parameters import AnyId
from plura.tx.api.responses import lookup_responses
from plura.tx.api.search.schemas import AdminSearchResponse
from plura.tx.api.services import services_of

SUBJECT = Subject(action="ADMIN_SEARCH", resource_type="ANY", parameter="q")

router = APIRouter()


@router.get(
    "/admin/search",
    response_model=AdminSearchResponse,
    responses=lookup_responses(),
    summary="Find what has an id",
)
async def search(
    q: AnyId, context: Annotated[AuditContext, Depends(authorize_reader(SUBJECT))], request: Request
) -> Response:
    """Find whether an id is that of a transaction, a payment order or a wallet. The search is recorded."""
    return answer(await services_of(request).search.find(context, query=q))
