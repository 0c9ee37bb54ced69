"""The outermost middleware: correlation id, metrics, response headers, and the last handler of errors."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plura.kit.http.audit_context import AuditContext
from plura.kit.http.errors import ApiError
from plura.kit.http.problems import problem
from plura.kit.http.settings import Networks
from plura.kit.observability.correlation import correlation_id
from plura.kit.observability.logs import fields
from plura.kit.observability.metrics import ApiMetrics

_LOG = logging.getLogger(__name__)

UNMATCHED = "unmatched"
_SERVER_ERROR = 500
"""Responses from this status on are logged as warnings; all others at DEBUG only, because the audit has them."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_OVER_TLS_ONLY = (b"strict-transport-security", b"max-age=31536000")
"""Browsers use TLS only for this host, for a year."""


class RequestMiddleware:
    """Wraps the application.

    ``trusted`` are proxies whose X-Forwarded-For counts, ``masked`` query keys that the audit hides. ``route_of``
    returns the route template of a path, None if no route matches. ``is_secure``: browsers use TLS.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        trusted: Networks,
        masked: frozenset[str],
        metrics: ApiMetrics,
        route_of: Callable[[str], str | None],
        is_secure: bool,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._route_of = route_of
        self._trusted = trusted
        self._masked = masked
        self._headers = (*_HEADERS, _OVER_TLS_ONLY) if is_secure else _HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = AuditContext(scope, trusted=self._trusted, masked=self._masked)
        token = correlation_id.set(context.correlation_id)
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        route = self._route_of(scope["path"]) or UNMATCHED
        inflight = self._metrics.inflight.labels(method, route)
        inflight.inc()
        status = 0
        correlation_header = (b"x-correlation-id", context.correlation_id.encode())

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], correlation_header, *self._headers]
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            _LOG.exception("request failed", extra=fields(method=method, route=route))
            if status:
                raise  # the response has started: only closing the connection can report the error
            await _error_response(context)(scope, receive, send_with_headers)
        finally:
            inflight.dec()
            took = time.perf_counter() - context.started
            self._metrics.answered(method, route, str(status or 499), took)
            level = logging.WARNING if status >= _SERVER_ERROR else logging.DEBUG
            if _LOG.isEnabledFor(level):
                details = fields(method=method, route=route, status_code=status, milliseconds=round(took * 1000, 1))
                _LOG.log(level, "request answered", extra=details)
            correlation_id.reset(token)


def _error_response(context: AuditContext) -> Response:
    """Return the response to a request that failed; a problem if rendering its error page fails too."""
    error = ApiError("Internal Server Error")
    try:
        return (context.answer_error or problem)(error, context.correlation_id)
    except Exception:  # noqa: BLE001  # any failure of the error page is answered in this way
        _LOG.exception("error page failed")
        return problem(error, context.correlation_id)
