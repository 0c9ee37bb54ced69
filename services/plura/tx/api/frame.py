"""The outermost layer: correlation id, metrics, headers of every answer, the last catch of errors."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plura.kit.observability.correlation import correlation_id
from plura.kit.observability.logs import fields
from plura.kit.observability.metrics import ApiMetrics
from plura.tx.api.errors import ApiError
from plura.tx.api.problems import problem
from plura.tx.api.settings import ApiSettings
from plura.tx.api.visit import Visit

_LOG = logging.getLogger(__name__)

UNMATCHED = "unmatched"
_OURS = 500
"""Answers from here on are faults of ours; the others are logged for who asks for DEBUG, as the audit has them."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_OVER_TLS_ONLY = (b"strict-transport-security", b"max-age=31536000")
"""For a year, browsers use only TLS for this host."""


class Frame:
    """Wraps the application. ``route_of`` returns the template of a path, None if no route has it.

    ``is_secure`` says that browsers reach the service over TLS.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: ApiSettings,
        metrics: ApiMetrics,
        route_of: Callable[[str], str | None],
        is_secure: bool,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._route_of = route_of
        self._trusted = settings.trusted_proxies
        self._masked = settings.masked_keys
        self._headers = (*_HEADERS, _OVER_TLS_ONLY) if is_secure else _HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = Visit(scope, trusted=self._trusted, masked=self._masked)
        token = correlation_id.set(visit.correlation_id)
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        route = self._route_of(scope["path"]) or UNMATCHED
        inflight = self._metrics.inflight.labels(method, route)
        inflight.inc()
        status = 0
        own = (b"x-correlation-id", visit.correlation_id.encode())

        async def send_framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], own, *self._headers]
            await send(message)

        try:
            await self._app(scope, receive, send_framed)
        except Exception:
            _LOG.exception("request failed", extra=fields(method=method, route=route))
            if status:
                raise  # the answer is under way: only the connection can still tell
            await _failure(visit)(scope, receive, send_framed)
        finally:
            inflight.dec()
            took = time.perf_counter() - visit.started
            self._metrics.answered(method, route, str(status or 499), took)
            level = logging.WARNING if status >= _OURS else logging.DEBUG
            if _LOG.isEnabledFor(level):
                told = fields(method=method, route=route, status_code=status, milliseconds=round(took * 1000, 1))
                _LOG.log(level, "request answered", extra=told)
            correlation_id.reset(token)


def _failure(visit: Visit) -> Response:
    """Return the answer to a request that failed; as a problem where its page fails too."""
    error = ApiError("Internal Server Error")
    try:
        return (visit.answer_error or problem)(error, visit.correlation_id)
    except Exception:  # noqa: BLE001  # whatever fails in the error page, the second failure, has this answer
        _LOG.exception("error page failed")
        return problem(error, visit.correlation_id)
