"""Who reads a page: a signed-in person, known by a cookie.

Cookies are read here and by nothing else: ``http.cookies`` and what is built on it take quadratic time for a header of
quotes or backslashes, so the framework is not shown the header.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request
from starlette.responses import Response

from plura.kit.auth.errors import UnauthenticatedError
from plura.kit.auth.principal import Principal
from plura.kit.auth.sign_in import LOGIN_SECONDS, LONGEST_COOKIE, Session, SignInSettings
from plura.tx.api.gate import Gate
from plura.tx.api.services import Services
from plura.tx.api.visit import Visit

SESSION, LOGIN = "plura_session", "plura_login"
START = "/console"
_PATHS = {SESSION: START, LOGIN: f"{START}/callback"}
_LONGEST_HEADER = 32_768
"""Characters of all cookies of a request; a longer header is not read. Browsers send those of the whole host."""
_LONGEST_PAGE = 2560
"""Characters of a page's address after signing in: the cookie that keeps it meanwhile stays below 4,096 bytes."""

_IN_ADDRESSES = frozenset(map(chr, range(0x21, 0x7F))) - {"\\"}
"""Characters of an address. Browsers read a backslash as a slash, which could lead to another site."""


class PageGate(Gate):
    """The gate before a page: like the one before the API, but people come with a cookie."""

    async def _identified(self, request: Request, visit: Visit) -> Principal:
        services: Services = request.app.state.services
        if services.sign_in is None:
            return await super()._identified(request, visit)
        session = session_of(services, visit)
        if session is None:
            raise UnauthenticatedError("Sign in first")
        visit.session_id = session.session_id
        return session.principal


def is_console_path(path: str) -> bool:
    """Return whether a path is one of the console's, whether there is a page or not."""
    return path == START or path.startswith(f"{START}/")


def own_page(following: str) -> str:
    """Return the page that ``following`` names, or the start page if that is not ours or its address is too long.

    A browser goes there after signing in, so it must not be able to leave this site.
    """
    if len(following) > _LONGEST_PAGE or len(json.dumps(following)) > _LONGEST_PAGE:
        return START
    path = following.partition("?")[0]
    is_ours = is_console_path(path) and _IN_ADDRESSES.issuperset(following)
    return following if is_ours else START


def session_of(services: Services, visit: Visit) -> Session | None:
    """Return the session of a visit, None if there is none or it was ended."""
    if services.sign_in is None or visit.session_ended:
        return None
    sealed = cookie_of(visit, name_of(SESSION, services.sign_in.settings))
    return services.sign_in.session(sealed) if sealed else None


def cookie_of(visit: Visit, name: str) -> str:
    """Return a cookie of the request, blank if it has none."""
    return read_cookie(visit.headers.get("cookie", ""), name)


def read_cookie(header: str, name: str) -> str:
    """Return the first cookie called ``name`` in a Cookie header, blank if there is none.

    Ours are written without quotes, so none are taken off.
    """
    if len(header) > _LONGEST_HEADER:
        return ""
    for pair in header.split(";"):
        found, _, value = pair.partition("=")
        if found.strip() == name:
            return value.strip() if len(value) <= LONGEST_COOKIE else ""
    return ""


def name_of(cookie: str, settings: SignInSettings) -> str:
    """Return the name of a cookie; over TLS its prefix makes browsers accept it from this host only."""
    return f"__Host-{cookie}" if settings.is_secure else cookie


def keep_session(answer: Response, settings: SignInSettings, sealed: str, seconds: int) -> None:
    """Let the browser keep the session.

    It is sent when a link on another site is followed, and with nothing else that another site makes a browser do.
    """
    answer.set_cookie(name_of(SESSION, settings), sealed, max_age=seconds, **_scope(SESSION, settings))


def keep_login(answer: Response, settings: SignInSettings, sealed: str) -> None:
    """Let the browser keep a sign-in that has begun; it comes back with the provider's redirect."""
    answer.set_cookie(name_of(LOGIN, settings), sealed, max_age=LOGIN_SECONDS, **_scope(LOGIN, settings))


def forget(answer: Response, settings: SignInSettings, cookie: str) -> None:
    """Let the browser forget a cookie."""
    answer.delete_cookie(name_of(cookie, settings), **_scope(cookie, settings))


def _scope(cookie: str, settings: SignInSettings) -> dict[str, Any]:
    """Return where a cookie is valid; the prefix ``__Host-`` allows one path only."""
    return {
        "path": "/" if settings.is_secure else _PATHS[cookie],
        "secure": settings.is_secure,
        "httponly": True,
        "samesite": "lax",
    }
