"""JSON of values and of responses."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, PlainSerializer, WithJsonSchema
from starlette.responses import Response

MEDIA_TYPE = "application/json"


def _two_places(value: Decimal) -> str:
    return f"{value:.2f}"


Money = Annotated[
    Decimal,
    PlainSerializer(_two_places, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+\.\d{2}$", "examples": ["10000.00"]}),
]
"""KRW with two decimals, as a string: clients would read a JSON number as a binary fraction."""


def answer(body: BaseModel) -> Response:
    """Return 200 with ``body``, serialised once."""
    return Response(body.__pydantic_serializer__.to_json(body), media_type=MEDIA_TYPE)
