"""Sign-in with a browser: OpenID Connect's authorization code flow with PKCE (RFC 7636)."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self
from urllib.parse import urlencode

from pydantic import Field, SecretStr, model_validator

from plura.kit.auth.errors import UnauthenticatedError
from plura.kit.auth.principal import KNOWN_ROLES, Principal
from plura.kit.auth.sealing import SHORTEST_KEY, Sealer
from plura.kit.auth.settings import require_safe_url
from plura.kit.auth.tokens import TokenVerifier
from plura.kit.fetch import FetchError, fetch
from plura.kit.service_settings import AppEnv, ServiceSettings

LOGIN_SECONDS = 600
"""Longest time for a sign-in."""
SESSION_SECONDS = 8 * 3600
"""Longest session; it ends earlier if the token expires earlier."""
LONGEST_COOKIE = 4096
"""Most bytes of a cookie's name and value; browsers silently drop longer cookies."""
_LONGEST_CODE = 4096
"""Most characters of an authorization code, which is sent on to the provider."""


class SignInSettings(ServiceSettings):
    """Settings of pages with sign-in: ``PLURA_CONSOLE_…``; without a client id they are not served."""

    bare_names: ClassVar[dict[str, str]] = {"app_env": "APP_ENV"}

    app_env: AppEnv = "local"
    console_client_id: str = Field(default="", description="Client id of the console at the provider.")
    console_client_secret: SecretStr | None = Field(
        default=None, description="Client secret, if the provider requires one."
    )
    console_authorize_url: str = Field(default="", description="Authorization endpoint of the provider.")
    console_token_url: str = Field(default="", description="Token endpoint of the provider.")
    console_scope: str = Field(default="openid", description="Requested scopes; include that of the API.")
    console_url: str = Field(
        default="", description="Address of the service for browsers, like https://admin.example.org."
    )
    console_session_key: SecretStr | None = Field(
        default=None, description="Key of the cookies, at least 32 characters, the same for all replicas."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.console_client_id:
            return self
        needed = ("console_authorize_url", "console_token_url", "console_url", "console_session_key")
        if missing := [f"PLURA_{name.upper()}" for name in needed if not getattr(self, name)]:
            raise ValueError(f"PLURA_CONSOLE_CLIENT_ID needs {', '.join(missing)}")
        for name in ("console_authorize_url", "console_token_url", "console_url"):
            require_safe_url(f"PLURA_{name.upper()}", getattr(self, name), app_env=self.app_env)
        if self.console_session_key is None or len(self.console_session_key.get_secret_value()) < SHORTEST_KEY:
            raise ValueError(f"PLURA_CONSOLE_SESSION_KEY needs {SHORTEST_KEY} characters")
        return self

    @property
    def is_enabled(self) -> bool:
        """Whether people can sign in."""
        return bool(self.console_client_id)

    @property
    def is_secure(self) -> bool:
        """Whether browsers use TLS for the service."""
        return self.console_url.startswith("https://")


@dataclass(frozen=True, kw_only=True)
class Session:
    """A signed-in person, and the CSRF token of forms.

    ``session_id`` identifies the session if it is ended before it expires.
    """

    session_id: str
    principal: Principal
    csrf: str


class SignIn:
    """Sends people to the provider, receives them back, and identifies them by a cookie."""

    def __init__(
        self,
        settings: SignInSettings,
        verifier: TokenVerifier,
        *,
        callback: str,
        post: Callable[..., Awaitable[bytes]] = fetch,
        clock: Callable[[], float] = time.time,
    ) -> None:
        assert settings.console_session_key is not None
        self.settings = settings
        self._verifier = verifier
        self._redirect = settings.console_url.rstrip("/") + callback
        self._post = post
        self._clock = clock
        self._logins = Sealer(settings.console_session_key, "login")
        self._sessions = Sealer(settings.console_session_key, "session")

    def begin(self, following: str) -> tuple[str, str]:
        """Return the provider's address and the cookie of the sign-in; ``following`` is the page to open afterwards."""
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": self.settings.console_client_id,
            "redirect_uri": self._redirect,
            "scope": self.settings.console_scope,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        url = self.settings.console_authorize_url
        separator = "&" if "?" in url else "?"
        cookie = self._logins.seal({"state": state, "verifier": verifier, "following": following})
        return f"{url}{separator}{urlencode(query)}", cookie

    async def finish(self, *, code: str, state: str, cookie: str) -> tuple[str, int, str]:
        """Return the session's cookie, its seconds of validity, and the page to open.

        Only known roles are kept: a person may have hundreds of other roles, and the cookie has to stay below
        ``LONGEST_COOKIE``.

        Raises:
            UnauthenticatedError: this browser did not start the sign-in, or the provider returned no valid token.
            KeysUnavailableError: the token cannot be verified now.
        """
        login = self._logins.open(cookie, seconds=LOGIN_SECONDS)
        if login is None or not secrets.compare_digest(login["state"].encode(), state.encode("utf-8", "replace")):
            raise UnauthenticatedError("This sign-in was not begun here, or took too long")
        if len(code) > _LONGEST_CODE:
            raise UnauthenticatedError("The identity provider gave no token")
        principal = await self._verifier.verify(await self._token(code, login["verifier"]))
        assert principal.expires_at is not None
        seconds = min(SESSION_SECONDS, int(principal.expires_at - self._clock()))
        if seconds <= 0:  # expired, but within the clock leeway; a browser would drop the cookie at once
            raise UnauthenticatedError("The identity provider gave a token that has expired")
        content = {
            "id": secrets.token_urlsafe(16),
            "actor_id": principal.actor_id,
            "roles": [role for role in KNOWN_ROLES if role in principal.roles],
            "expires_at": self._clock() + seconds,
            "csrf": secrets.token_urlsafe(24),
        }
        return self._sessions.seal(content), seconds, login["following"]

    def session(self, cookie: str) -> Session | None:
        """Return the session of a cookie, None if it is invalid or expired."""
        content = self._sessions.open(cookie, seconds=SESSION_SECONDS)
        if content is None or "id" not in content or content["expires_at"] <= self._clock():
            return None  # earlier versions sealed no id
        principal = Principal(
            actor_id=content["actor_id"], roles=tuple(content["roles"]), expires_at=content["expires_at"]
        )
        return Session(session_id=content["id"], principal=principal, csrf=content["csrf"])

    async def _token(self, code: str, verifier: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "client_id": self.settings.console_client_id,
            "code_verifier": verifier,
        }
        if self.settings.console_client_secret is not None:
            form["client_secret"] = self.settings.console_client_secret.get_secret_value()
        try:
            answer: Any = json.loads(await self._post(self.settings.console_token_url, form=urlencode(form).encode()))
        except (FetchError, ValueError, RecursionError):
            raise UnauthenticatedError("The identity provider gave no token") from None
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise UnauthenticatedError("The identity provider gave no token")
        return token
