"""What an id names."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field


class Hit(BaseModel):
    """One thing with the id."""

    resource_type: Literal["TX", "PAYMENT_ORDER", "WALLET"]
    id: str
    href: str = Field(description="Path of its lookup.")


class AdminSearchResponse(BaseModel):
    """All things with the id; none is an answer too."""

    query: str
    results: list[Hit]
    count: int


EXAMPLE: dict[str, Any] = {
    "query": "po-1",
    "results": [{"resource_type": "PAYMENT_ORDER", "id": "po-1", "href": "/admin/payment-orders/po-1"}],
    "count": 1,
}
