"""Errors of the API. The docstring of an error is its default detail in responses."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from plura.kit.errors import ServiceError


class ApiError(ServiceError):
    """The request cannot be answered."""

    status_code: int = 500
    code: str = "internal_error"
    title: str = "Internal Server Error"

    def __init__(
        self,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        errors: list[dict[str, Any]] | None = None,
    ) -> None:
        """Keep the content of the response: ``detail`` instead of the docstring, extra headers, a list of errors."""
        self.detail = detail or (type(self).__doc__ or "").strip()
        super().__init__(self.detail)
        self.headers = dict(headers or {})
        self.errors = errors


class UnauthorizedError(ApiError):
    """Authorization header missing"""  # noqa: D415  # the text of the contract

    status_code = 401
    code = "unauthorized"
    title = "Unauthorized"


class SessionEndedError(UnauthorizedError):
    """Sign in first"""  # noqa: D415  # the same style


class ForbiddenError(ApiError):
    """Forbidden"""  # noqa: D415  # the text of the contract

    status_code = 403
    code = "forbidden"
    title = "Forbidden"


class NotFoundError(ApiError):
    """Not Found"""  # noqa: D415  # the text of the contract

    status_code = 404
    code = "not_found"
    title = "Not Found"


class InvalidRequestError(ApiError):
    """Request validation failed"""  # noqa: D415  # the same style

    status_code = 422
    code = "invalid_request"
    title = "Unprocessable Content"


class UnavailableError(ApiError):
    """The database is not available; nothing was done"""  # noqa: D415  # the same style

    status_code = 503
    code = "unavailable"
    title = "Service Unavailable"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"Retry-After": "2"})


class StatusError(ApiError):
    """An HTTP error of the framework, like 405."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail, headers=headers)
        self.status_code = status
        self.title = HTTPStatus(status).phrase
        self.code = self.title.lower().replace(" ", "_").replace("-", "_")
