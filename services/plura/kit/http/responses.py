"""Responses of routes for OpenAPI, each with an example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plura.kit.http.errors import ApiError, UnauthorizedError
from plura.kit.http.problems import MEDIA_TYPE, Problem

Responses = dict[int | str, dict[str, Any]]

_HEADERS = {
    "X-Correlation-ID": {
        "description": "Id of this request in logs and audit.",
        "schema": {"type": "string"},
    }
}


def responses(errors: Sequence[ApiError], descriptions: Mapping[int, str], *, success: str) -> Responses:
    """Return the responses of a route: 200, described by ``success``, and ``errors``, described by their status."""
    found: Responses = {200: {"description": success, "headers": _HEADERS}}
    for error in errors:
        found[error.status_code] = _error_response(error, descriptions[error.status_code])
    if UnauthorizedError.status_code in found:
        found[UnauthorizedError.status_code]["headers"] = {
            **_HEADERS,
            "WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}},
        }
    return found


def _error_response(error: ApiError, description: str) -> dict[str, Any]:
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
        "description": description,
        "headers": _HEADERS,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}},
    }
