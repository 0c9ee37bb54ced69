"""Errors of the lookup of a transaction."""

from __future__ import annotations

from plura.kit.http.errors import NotFoundError


class TxNotFoundError(NotFoundError):
    """tx_id not found"""  # noqa: D415  # the text of the contract

    code = "tx_not_found"
