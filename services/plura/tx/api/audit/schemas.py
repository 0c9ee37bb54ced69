"""Rows of the audit in responses."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field


class AuditEntry(BaseModel):
    """A lookup, or denied requests from one address counted together."""

    audit_id: int
    requested_at: datetime
    actor_id: str | None
    actor_roles: str | None
    action: str
    resource_type: str
    resource_id: str | None
    result: str
    status_code: int
    result_count: int | None
    duration_ms: int | None
    occurrences: int = Field(description="Number of requests; above 1 for denied requests only.")
    request_method: str
    request_path: str
    request_query: str | None
    ip: str | None
    user_agent: str | None
    correlation_id: str | None


class AdminAuditResponse(BaseModel):
    """Rows of the audit, the newest first."""

    entries: list[AuditEntry]
    count: int = Field(description="Number of rows of this page.")
    next_cursor: str | None = Field(description="Cursor of the next page; null on the last page.")


EXAMPLE: dict[str, Any] = {
    "entries": [
        {
            "audit_id": 42,
            "requested_at": "2026-02-05T04:00:00.123456Z",
            "actor_id": "6f1c2f0e-0000-4000-8000-000000000001",
            "actor_roles": "ADMIN_READ",
            "action": "ADMIN_TX_LOOKUP",
            "resource_type": "TX",
            "resource_id": "tx-pay-1",
            "result": "FOUND",
            "status_code": 200,
            "result_count": 1,
            "duration_ms": 3,
            "occurrences": 1,
            "request_method": "GET",
            "request_path": "/admin/tx/tx-pay-1",
            "request_query": None,
            "ip": "192.0.2.7",
            "user_agent": "curl/8.5.0",
            "correlation_id": "5f0c1d0e-8a35-4b0e-9f2b-6f3f4be0a111",
        }
    ],
    "count": 1,
    "next_cursor": None,
}
