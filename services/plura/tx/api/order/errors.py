"""Errors of the lookup of an order."""

from __future__ import annotations

from plura.kit.http.errors import NotFoundError


class OrderNotFoundError(NotFoundError):
    """order_id not found"""  # noqa: D415  # the text of the contract

    code = "order_not_found"
