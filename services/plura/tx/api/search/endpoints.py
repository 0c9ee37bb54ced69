"""``GET /admin/search``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from plura.tx.api.documented import answers
from plura.tx.api.gate import Gate
from plura.tx.api.parameters import AnyId
from plura.tx.api.schemas import answer
from plura.tx.api.search.schemas import AdminSearchResponse
from plura.tx.api.services import services_of
from plura.tx.api.visit import Subject, Visit

SUBJECT = Subject(action="ADMIN_SEARCH", resource_type="ANY", parameter="q")

router = APIRouter()


@router.get(
    "/admin/search", response_model=AdminSearchResponse, responses=answers(), summary="Find out what an id names"
)
async def search(q: AnyId, visit: Annotated[Visit, Depends(Gate(SUBJECT))], request: Request) -> Response:
    """Tell whether an id is one of a transaction, of a payment order or of a wallet. The search is recorded."""
    return answer(await services_of(request).search.find(visit, query=q))
