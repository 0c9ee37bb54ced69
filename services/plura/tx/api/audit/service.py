"""Lookups of the audit."""

from __future__ import annotations

from datetime import datetime

from psycopg.rows import class_row

from plura.kit.http import cursors
from plura.kit.http.audit_context import AuditContext
from plura.kit.http.cursors import Position
from plura.kit.http.errors import InvalidRequestError
from plura.kit.http.parameters import LAST, checked_range
from plura.kit.statements import Statements
from plura.tx.api.audit.schemas import AdminAuditResponse, AuditEntry
from plura.tx.db import AUDIT_ROLE

_HIGHEST = 2**63 - 1


class AuditService:
    """Finds audit rows."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def find(
        self,
        context: AuditContext,
        *,
        actor_id: str | None,
        resource_id: str | None,
        start: datetime | None,
        end: datetime | None,
        limit: int,
        cursor: str | None,
    ) -> AdminAuditResponse:
        """Return a page of audit rows, and record this lookup as well.

        Raises:
            InvalidRequestError: the range ends before it begins, or the cursor belongs to another list.
            UnavailableError: the lookup could not be made and recorded.
        """
        first, last = checked_range(start, end)
        scope = ("audit", actor_id, resource_id, first, last)
        before, before_id = LAST, _HIGHEST
        if cursor is not None:
            position = cursors.decode(cursor, *scope)
            before, before_id = position.time.isoformat(), _number(position.tie)
        parameters = {
            "actor_id": actor_id,
            "resource_id": resource_id,
            "from": first,
            "to": last,
            "limit": limit,
            "before": before,
            "before_id": before_id,
        }
        record = {**context.audit_row(), "id": resource_id, "status_code": 200, "occurrences": 1}
        rows = await self._statements.read_as(AUDIT_ROLE, "audit", class_row(AuditEntry), parameters, record)
        entries = list(rows[:limit])
        following = None
        if len(rows) > limit:
            position = Position(time=entries[-1].requested_at, tie=str(entries[-1].audit_id))
            following = cursors.encode(position, *scope)
        return AdminAuditResponse(entries=entries, count=len(entries), next_cursor=following)


def _number(tie: str) -> int:
    if not (tie.isascii() and tie.isdigit() and int(tie) <= _HIGHEST):
        raise InvalidRequestError
    return int(tie)
