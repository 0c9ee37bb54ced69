"""``GET /admin/audit``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from plura.tx.api.audit.schemas import AdminAuditResponse
from plura.tx.api.documented import answers
from plura.tx.api.gate import AUDITORS, Gate
from plura.tx.api.parameters import PLAIN_DIGITS, Cursor, Filter, From, To, limit_query
from plura.tx.api.schemas import answer
from plura.tx.api.services import services_of
from plura.tx.api.visit import Subject, Visit

SUBJECT = Subject(action="ADMIN_AUDIT_LOOKUP", resource_type="AUDIT")
ROWS = 100

router = APIRouter()


@router.get(
    "/admin/audit",
    response_model=AdminAuditResponse,
    responses=answers(),
    summary="List who looked at what",
)
async def list_audit(
    visit: Annotated[Visit, Depends(Gate(SUBJECT, roles=AUDITORS))],
    request: Request,
    actor_id: Filter = None,
    resource_id: Filter = None,
    start: From = None,
    end: To = None,
    limit: Annotated[int, limit_query(ROWS), PLAIN_DIGITS] = ROWS,
    cursor: Cursor = None,
) -> Response:
    """Tell lookups and refusals, the newest first; needs the role ADMIN_AUDIT. This look is recorded as well."""
    found = await services_of(request).audit.find(
        visit,
        actor_id=actor_id,
        resource_id=resource_id,
        start=start,
        end=end,
        limit=limit,
        cursor=cursor,
    )
    return answer(found)
