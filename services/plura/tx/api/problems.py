"""Errors as problem details (RFC 9457)."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from plura.tx.api.errors import ApiError

MEDIA_TYPE = "application/problem+json"


class FieldError(BaseModel):
    """One thing that is wrong with a request."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Kind of the error.")
    loc: list[str | int] = Field(description="Where it is: query or path, then the parameter.")
    msg: str = Field(description="What is wrong, in words.")


class Problem(BaseModel):
    """Problem details of RFC 9457."""

    type: str = Field(description="URN of the kind of problem.")
    title: str = Field(description="Name of the status.")
    status: int = Field(description="Status of the answer.")
    detail: str = Field(description="What happened this time.")
    code: str = Field(description="The kind of problem as a word.")
    correlation_id: str | None = Field(description="The id that logs and audit know this request by.")
    errors: list[FieldError] | None = Field(default=None, description="What is wrong with the request, one by one.")


def problem(error: ApiError, correlation_id: str | None) -> Response:
    """Return the answer that tells of ``error``."""
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
    """Return the bytes of a problem."""
    said = Problem(
        type=f"urn:plura:problem:{code.replace('_', '-')}",
        title=title,
        status=status,
        detail=detail,
        code=code,
        correlation_id=correlation_id,
        errors=None if errors is None else [FieldError(**one) for one in errors],
    )
    return said.model_dump_json(exclude=None if errors is not None else {"errors"}).encode()
