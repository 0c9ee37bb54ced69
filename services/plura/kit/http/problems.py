"""Errors as problem details (RFC 9457)."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from plura.kit.http.errors import ApiError

MEDIA_TYPE = "application/problem+json"


class FieldError(BaseModel):
    """A single error of a request."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Kind of the error.")
    loc: list[str | int] = Field(description="Location: query or path, then the parameter.")
    msg: str = Field(description="What is wrong, for people.")


class Problem(BaseModel):
    """Problem details of RFC 9457."""

    type: str = Field(description="URN of the kind of problem.")
    title: str = Field(description="Name of the HTTP status.")
    status: int = Field(description="HTTP status.")
    detail: str = Field(description="Explanation of this occurrence.")
    code: str = Field(description="The kind of problem as an identifier.")
    correlation_id: str | None = Field(description="Id of this request in logs and audit.")
    errors: list[FieldError] | None = Field(default=None, description="The single errors of the request.")


def problem(error: ApiError, correlation_id: str | None) -> Response:
    """Return the response for ``error``."""
    return Response(
        problem_body(
            status=error.status_code,
            code=error.code,
            title=error.title,
            detail=error.detail,
            correlation_id=correlation_id,
            errors=error.errors,
        ),
        status_code=error.status_code,
        media_type=MEDIA_TYPE,
        headers=error.headers,
    )


def problem_body(
    *,
    status: int,
    code: str,
    title: str,
    detail: str,
    correlation_id: str | None,
    errors: list[dict[str, Any]] | None = None,
) -> bytes:
    """Return a problem as JSON bytes."""
    content = Problem(
        type=f"urn:plura:problem:{code.replace('_', '-')}",
        title=title,
        status=status,
        detail=detail,
        code=code,
        correlation_id=correlation_id,
        errors=None if errors is None else [FieldError(**error) for error in errors],
    )
    return content.model_dump_json(exclude=None if errors is not None else {"errors"}).encode()
