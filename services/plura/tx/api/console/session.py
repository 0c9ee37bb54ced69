"""Who reads a page: a signed-in person, known by a cookie that no other site can make a browser send."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

from fastapi import Request
from starlette.responses import Response

from plura.kit.auth.errors import UnauthenticatedError
from plura.kit.auth.principal import Principal
from plura.kit.auth.sign_in import LOGIN_SECONDS, Session, SignInSettings
from plura.tx.api.gate import Gate
from plura.tx.api.services import Services
from plura.tx.api.visit import Visit

SESSION, LOGIN = "plura_session", "plura_login"
_PATH = "/console"


class PageGate(Gate):
    """The gate before a page: like the one before the API, but people come with a cookie."""

    async def _identified(self, request: Request, visit: Visit) -> Principal:
        services: Services = request.app.state.services
        if services.sign_in is None:
            return await super()._identified(request, visit)
        session = session_of(services, visit)
        if session is None:
            raise UnauthenticatedError("Sign in first")
        return session.principal


def session_of(services: Services, visit: Visit) -> Session | None:
    """Return the session of a visit, None if there is none."""
    if services.sign_in is None:
        return None
    sealed = cookie_of(visit, name_of(SESSION, services.sign_in.settings))
    return services.sign_in.session(sealed) if sealed else None


def cookie_of(visit: Visit, name: str) -> str:
    """Return a cookie of the request, blank if it has none."""
    try:
        found = SimpleCookie(visit.headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def name_of(cookie: str, settings: SignInSettings) -> str:
    """Return the name of a cookie; over TLS browsers refuse to let anybody but this host set it."""
    return f"__Secure-{cookie}" if settings.is_secure else cookie


def keep_session(answer: Response, settings: SignInSettings, sealed: str, seconds: int) -> None:
    """Let the browser keep the session, and send it only on its own site's account."""
    answer.set_cookie(
        name_of(SESSION, settings),
        sealed,
        max_age=seconds,
        path=_PATH,
        secure=settings.is_secure,
        httponly=True,
        samesite="strict",
    )


def keep_login(answer: Response, settings: SignInSettings, sealed: str) -> None:
    """Let the browser keep a sign-in that has begun; it has to come back with the provider's redirect, hence lax."""
    answer.set_cookie(
        name_of(LOGIN, settings),
        sealed,
        max_age=LOGIN_SECONDS,
        path=f"{_PATH}/callback",
        secure=settings.is_secure,
        httponly=True,
        samesite="lax",
    )


def forget(answer: Response, settings: SignInSettings, cookie: str, path: str = _PATH) -> None:
    """Let the browser forget a cookie."""
    answer.delete_cookie(name_of(cookie, settings), path=path, secure=settings.is_secure, httponly=True)
