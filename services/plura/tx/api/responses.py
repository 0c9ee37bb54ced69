"""Responses of routes for OpenAPI, each with an example."""

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

Responses = dict[int | str, dict[str, Any]]

_HEADERS = {
    "X-Correlation-ID": {
        "description": "Id of this request in logs and audit.",
        "schema": {"type": "string"},
    }
}
_DESCRIPTIONS = {
    401: "The token is missing or not valid.",
    403: "The token carries none of the roles.",
    404: "Nothing has this id.",
    422: "A parameter is not valid.",
    503: "The lookup could not be made and recorded, or tokens cannot be verified now.",
}


def lookup_responses(*more: ApiError) -> Responses:
    """Return the responses of a lookup: 200, the errors of every lookup, and ``more``."""
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
    found: Responses = {200: {"description": "Found.", "headers": _HEADERS}}
    for error in errors:
        found[error.status_code] = _error_response(error)
    found[401]["headers"] = {
        **_HEADERS,
        "WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}},
    }
    return found


def _error_response(error: ApiError) -> dict[str, Any]:
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
