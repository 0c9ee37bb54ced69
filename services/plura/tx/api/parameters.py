"""Ids as parameters of routes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query

from plura.kit.http.parameters import PLAIN
from plura.tx.db import LONGEST_ID


def _id_path(description: str, example: str) -> Any:
    return Path(min_length=1, max_length=LONGEST_ID, pattern=PLAIN, description=description, examples=[example])


TxId = Annotated[str, _id_path("Id of a ledger entry.", "tx-pay-1")]
OrderId = Annotated[str, _id_path("Id of a payment order.", "po-1")]
WalletId = Annotated[str, _id_path("Id of a wallet.", "w-payer-1")]
"""Ids in a path."""

AnyId = Annotated[
    str,
    Query(min_length=1, max_length=LONGEST_ID, pattern=PLAIN, description="Id of any object.", examples=["po-1"]),
]
Filter = Annotated[str | None, Query(min_length=1, max_length=LONGEST_ID, pattern=PLAIN)]
