"""``GET /admin/audit``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from plura.kit.http.answers import answer
from plura.kit.http.audit_context import AuditContext, Subject
from plura.kit.http.authorize import Authorize
from plura.kit.http.parameters import PLAIN_DIGITS, Cursor, From, To, limit_query
from plura.tx.api.audit.schemas import AdminAuditResponse
from plura.tx.api.authorize import AUDITORS
from plura.tx.api.parameters import Filter
from plura.tx.api.responses import lookup_responses
from plura.tx.api.services import services_of

SUBJECT = Subject(action="ADMIN_AUDIT_LOOKUP", resource_type="AUDIT")
ROWS = 100

router = APIRouter()


@router.get(
    "/admin/audit",
    response_model=AdminAuditResponse,
    responses=lookup_responses(),
    summary="List who looked up what",
)
async def list_audit(
    context: Annotated[AuditContext, Depends(Authorize(SUBJECT, roles=AUDITORS))],
    request: Request,
    actor_id: Filter = None,
    resource_id: Filter = None,
    start: From = None,
    end: To = None,
    limit: Annotated[int, limit_query(ROWS), PLAIN_DIGITS] = ROWS,
    cursor: Cursor = None,
) -> Response:
    """Return lookups and denied requests, the newest first; needs the role ADMIN_AUDIT. Is recorded as well."""
    found = await services_of(request).audit.find(
        context,
        actor_id=actor_id,
        resource_id=resource_id,
        start=start,
        end=end,
        limit=limit,
        cursor=cursor,
    )
    return answer(found)
