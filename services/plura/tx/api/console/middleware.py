"""Middleware of all pages: errors are pages, and a parameter of any address changes the language."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from plura.kit.http.audit_context import audit_context_of
from plura.kit.http.errors import ApiError
from plura.tx.api.console.catalogue import Language
from plura.tx.api.console.error_pages import error_page
from plura.tx.api.console.reader import LANGUAGE_COOKIE, SWITCH, identify_reader
from plura.tx.api.console.session import is_console_path
from plura.tx.api.services import services_of

_API = "/admin/"
_YEAR_SECONDS = 365 * 86_400


class PagesMiddleware:
    """Answers errors with pages under ``/console``, and for browsers at every address outside the API."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not _is_page(scope):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        reader = await identify_reader(request)
        context = audit_context_of(request)

        def answer_error(error: ApiError, correlation_id: str) -> Response:
            shown = reader.signed_out() if context.session_ended else reader
            return error_page(shown, context, error, correlation_id)

        context.answer_error = answer_error
        sign_in = services_of(request).sign_in
        is_secure = scope["scheme"] == "https" or (sign_in is not None and sign_in.settings.is_secure)
        switched = _switched(scope, is_secure=is_secure)
        await (switched or self._app)(scope, receive, send)


def _is_page(scope: Scope) -> bool:
    path: str = scope["path"]
    if is_console_path(path):
        return True
    accepted = (value for name, value in scope["headers"] if name == b"accept")
    return not path.startswith(_API) and any(b"text/html" in value for value in accepted)


def _switched(scope: Scope, *, is_secure: bool) -> Response | None:
    """Return the redirect to the same page in the requested language, None if the address requests none.

    The language is stored in a cookie and removed from the address: a shared link does not change the language of its
    recipient, and the lookup is not made and recorded twice.
    """
    if scope["method"] != "GET" or not is_console_path(scope["path"]):
        return None
    parts = scope["query_string"].decode("latin-1").split("&")
    chosen = [language for language in Language if f"{SWITCH}={language}" in parts]
    if not chosen:
        return None
    query = "&".join(part for part in parts if not part.startswith(f"{SWITCH}="))
    path = scope["raw_path"].decode("latin-1")
    answer = RedirectResponse(f"{path}?{query}" if query else path, status_code=303)
    answer.set_cookie(
        LANGUAGE_COOKIE,
        chosen[0].value,
        max_age=_YEAR_SECONDS,
        path="/",
        secure=is_secure,
        httponly=True,
        samesite="lax",
    )
    return answer
