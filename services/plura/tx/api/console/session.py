"""Sessions of signed-in people, and their cookies.

Only this module reads cookies: ``http.cookies`` and libraries on top of it take quadratic time for a header of quotes
or backslashes, so the header is hidden from the framework.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request
from starlette.responses import Response

from plura.kit.auth.errors import UnauthenticatedError
from plura.kit.auth.principal import Principal
from plura.kit.auth.sign_in import LOGIN_SECONDS, LONGEST_COOKIE, Session, SignInSettings
from plura.kit.http.audit_context import AuditContext
from plura.kit.http.authorize import Authorize
from plura.tx.api.services import Services

SESSION, LOGIN = "plura_session", "plura_login"
START = "/console"
_PATHS = {SESSION: START, LOGIN: f"{START}/callback"}
_LONGEST_HEADER = 32_768
"""Most characters of the Cookie header; a longer one is not read. Browsers send the cookies of the whole host."""
_LONGEST_PAGE = 2560
"""Most characters of the page to open after signing in: the cookie that holds it stays below 4,096 bytes."""

_IN_ADDRESSES = frozenset(map(chr, range(0x21, 0x7F))) - {"\\"}
"""Characters of an address. Browsers read a backslash as a slash, which could lead to a different site."""


class AuthorizePage(Authorize):
    """Authorization of a page: like that of the API, but people are known by a cookie."""

    async def _authenticate(self, request: Request, context: AuditContext) -> Principal:
        services: Services = request.app.state.services
        if services.sign_in is None:
            return await super()._authenticate(request, context)
        session = session_of(services, context)
        if session is None:
            raise UnauthenticatedError("Sign in first")
        context.session_id = session.session_id
        return session.principal


def is_console_path(path: str) -> bool:
    """Return whether a path belongs to the console, whether a page exists or not."""
    return path == START or path.startswith(f"{START}/")


def own_page(following: str) -> str:
    """Return ``following`` if it is a page of the console and not too long, else the start page.

    A browser opens it after signing in, so it must not lead to a different site.
    """
    if len(following) > _LONGEST_PAGE or len(json.dumps(following)) > _LONGEST_PAGE:
        return START
    path = following.partition("?")[0]
    is_ours = is_console_path(path) and _IN_ADDRESSES.issuperset(following)
    return following if is_ours else START


def session_of(services: Services, context: AuditContext) -> Session | None:
    """Return the session of a request, None if it has none or the session was ended."""
    if services.sign_in is None or context.session_ended:
        return None
    sealed = cookie_of(context, name_of(SESSION, services.sign_in.settings))
    return services.sign_in.session(sealed) if sealed else None


def cookie_of(context: AuditContext, name: str) -> str:
    """Return a cookie of a request, blank if it is missing."""
    return read_cookie(context.headers.get("cookie", ""), name)


def read_cookie(header: str, name: str) -> str:
    """Return the first cookie called ``name`` in a Cookie header, blank if it is missing.

    Our cookies have no quotes, so quotes are not removed.
    """
    if len(header) > _LONGEST_HEADER:
        return ""
    for pair in header.split(";"):
        found, _, value = pair.partition("=")
        if found.strip() == name:
            return value.strip() if len(value) <= LONGEST_COOKIE else ""
    return ""


def name_of(cookie: str, settings: SignInSettings) -> str:
    """Return the name of a cookie; over TLS with the prefix that makes browsers accept it from this host only."""
    return f"__Host-{cookie}" if settings.is_secure else cookie


def keep_session(answer: Response, settings: SignInSettings, sealed: str, seconds: int) -> None:
    """Set the cookie of the session.

    Browsers send it when a link on a different site is followed, but with no other cross-site request.
    """
    answer.set_cookie(name_of(SESSION, settings), sealed, max_age=seconds, **_scope(SESSION, settings))


def keep_login(answer: Response, settings: SignInSettings, sealed: str) -> None:
    """Set the cookie of a started sign-in; browsers send it with the provider's redirect."""
    answer.set_cookie(name_of(LOGIN, settings), sealed, max_age=LOGIN_SECONDS, **_scope(LOGIN, settings))


def forget(answer: Response, settings: SignInSettings, cookie: str) -> None:
    """Delete a cookie."""
    answer.delete_cookie(name_of(cookie, settings), **_scope(cookie, settings))


def _scope(cookie: str, settings: SignInSettings) -> dict[str, Any]:
    """Return the attributes of a cookie; the prefix ``__Host-`` requires the path ``/``."""
    return {
        "path": "/" if settings.is_secure else _PATHS[cookie],
        "secure": settings.is_secure,
        "httponly": True,
        "samesite": "lax",
    }
