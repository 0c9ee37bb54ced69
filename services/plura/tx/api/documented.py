"""Answers of routes as OpenAPI tells them, with an example each."""

from __future__ import annotations

from typing import Any

from plura.tx.api.errors import (
    ApiError,
    ForbiddenError,
    InvalidRequestError,
    UnauthorizedError,
    UnavailableError,
)
from plura.tx.api.problems import MEDIA_TYPE, Problem

Answers = dict[int | str, dict[str, Any]]

_HEADERS = {
    "X-Correlation-ID": {
        "description": "The id that logs and audit know this request by.",
        "schema": {"type": "string"},
    }
}
_DESCRIPTIONS = {
    401: "No token, or one that is not believed.",
    403: "The token carries none of the roles.",
    404: "There is no such thing.",
    422: "A parameter is not valid.",
    503: "The lookup could not be made and recorded, or tokens cannot be judged now.",
}


def answers(*more: ApiError) -> Answers:
    """Return the answers of a lookup: 200, the usual errors, and ``more``."""
    invalid = InvalidRequestError(
        errors=[
            {
                "type": "less_than_equal",
                "loc": ["query", "limit"],
                "msg": "Input should be less than or equal to 100",
                "input": "101",
            }
        ]
    )
    errors = (UnauthorizedError(), ForbiddenError(), *more, invalid, UnavailableError())
    found: Answers = {200: {"description": "Found.", "headers": _HEADERS}}
    for error in errors:
        found[error.status_code] = _refusal(error)
    found[401]["headers"] = {
        **_HEADERS,
        "WWW-Authenticate": {"description": "How to identify oneself.", "schema": {"type": "string"}},
    }
    return found


def _refusal(error: ApiError) -> dict[str, Any]:
    example = Problem(
        type=f"urn:plura:problem:{error.code.replace('_', '-')}",
        title=error.title,
        status=error.status_code,
        detail=error.detail,
        code=error.code,
        correlation_id="5f0c1d0e-8a35-4b0e-9f2b-6f3f4be0a111",
    ).model_dump(exclude={"errors"})
    if error.errors is not None:
        example["errors"] = error.errors
    return {
        "description": _DESCRIPTIONS[error.status_code],
        "headers": _HEADERS,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}},
    }
