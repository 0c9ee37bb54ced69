"""Authentication of requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from plura.kit.auth.errors import UnauthenticatedError
from plura.kit.auth.principal import Principal
from plura.kit.auth.tokens import TokenVerifier, is_plain

_BEARER = "bearer"


class Authenticator(Protocol):
    """Identifies the sender of a request."""

    async def authenticate(self, headers: Mapping[str, str]) -> Principal:
        """Return the sender from the request's headers, whose names are lower case.

        Raises:
            UnauthenticatedError: the sender cannot be identified.
            KeysUnavailableError: tokens cannot be verified now.
        """
        ...

    @property
    def is_ready(self) -> bool:
        """Whether senders can be identified now."""
        ...


class BearerAuthenticator:
    """Accepts bearer tokens (RFC 6750) only."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    async def authenticate(self, headers: Mapping[str, str]) -> Principal:
        """Return the bearer of the token."""
        header = headers.get("authorization", "").strip()
        if not header:
            raise UnauthenticatedError("Authorization header missing")
        scheme, _, token = header.partition(" ")
        if scheme.lower() != _BEARER or not token.strip():
            raise UnauthenticatedError("Authorization header must be Bearer token", challenge="invalid_request")
        return await self._verifier.verify(token.strip())

    @property
    def is_ready(self) -> bool:
        """Whether the provider's keys are available."""
        return self._verifier.is_ready


class NoAuthenticator:
    """Accepts everybody: the caller may name itself in ``X-Actor-Id`` and ``X-Actor-Roles``. Not for production."""

    is_ready = True

    async def authenticate(self, headers: Mapping[str, str]) -> Principal:
        """Return the principal that the caller claims to be."""
        actor = headers.get("x-actor-id", "").strip()
        roles = (role.strip() for role in headers.get("x-actor-roles", "").split(","))
        return Principal(
            actor_id=actor if actor and is_plain(actor) else None,
            roles=tuple(role for role in roles if role and is_plain(role)),
            unrestricted=True,
        )
