"""Responses with a body of JSON."""

from __future__ import annotations

from pydantic import BaseModel
from starlette.responses import Response

MEDIA_TYPE = "application/json"


def answer(body: BaseModel) -> Response:
    """Return 200 with ``body``, serialised once."""
    return Response(body.__pydantic_serializer__.to_json(body), media_type=MEDIA_TYPE)
