"""Results of a search by id."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field


class Hit(BaseModel):
    """An object with the id."""

    resource_type: Literal["TX", "PAYMENT_ORDER", "WALLET"]
    id: str
    href: str = Field(description="Path of its lookup.")


class AdminSearchResponse(BaseModel):
    """All objects with the id; the list may be empty."""

    query: str
    results: list[Hit]
    count: int


EXAMPLE: dict[str, Any] = {
    "query": "po-1",
    "results": [{"resource_type": "PAYMENT_ORDER", "id": "po-1", "href": "/admin/payment-orders/po-1"}],
    "count": 1,
}
