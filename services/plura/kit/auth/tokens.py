"""Verification of the identity provider's JSON Web Tokens."""

from __future__ import annotations

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from jwt.exceptions import PyJWTError

from plura.kit.auth.errors import UnauthenticatedError
from plura.kit.auth.keys import Keys
from plura.kit.auth.principal import Principal
from plura.kit.auth.settings import AuthSettings
from plura.kit.observability.logs import fields

CACHE_SECONDS = 60.0
"""How long the result of a verification is reused, and so the longest further use of a withdrawn key."""
CACHE_TOKENS = 4096
LONGEST_TOKEN = 16_384
"""Most characters of a token; the server's limit for a request head is higher."""
_LONGEST_WORD = 256
_LONGEST_REASON = 300
_TIMES = ("exp", "nbf", "iat")
"""Claims that are NumericDates: seconds since 1970 as a JSON number (RFC 7519)."""
_LATEST_SECONDS = 253_402_300_799
"""Last second of the year 9999."""
_LOG = logging.getLogger(__name__)


class TokenVerifier:
    """Verifies signature, issuer, audience and times of tokens, and caches the valid ones.

    A token needs ``exp``, ``iss``, ``aud``, a key id and an actor. The cache is keyed by digest, bounded, and never
    outlives a token.
    """

    def __init__(self, settings: AuthSettings, keys: Keys, *, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._keys = keys
        self._clock = clock
        self._cached: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()
        self._options: Any = {"require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True}

    @property
    def is_ready(self) -> bool:
        """Whether the provider's keys are available."""
        return self._keys.are_known

    async def verify(self, token: str) -> Principal:
        """Return the principal of ``token``.

        Raises:
            UnauthenticatedError: the token is not valid; the message does not give the reason, which would only help
                attackers.
            KeysUnavailableError: the provider's keys are not available.
        """
        if len(token) > LONGEST_TOKEN:
            raise _invalid("longer than any token")
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        cached = self._cached.get(digest)
        if cached is not None:
            if self._clock() < cached[0]:
                return cached[1]
            del self._cached[digest]
        principal = self._principal(await self._claims(token))
        assert principal.expires_at is not None
        until = min(self._clock() + CACHE_SECONDS, principal.expires_at)
        if self._clock() < until:
            self._cached[digest] = until, principal
            if len(self._cached) > CACHE_TOKENS:
                self._cached.popitem(last=False)
        return principal

    async def _claims(self, token: str) -> Mapping[str, Any]:
        settings = self._settings
        try:
            header = jwt.get_unverified_header(token)
            algorithm, kid = header.get("alg"), header.get("kid")
            if algorithm not in settings.auth_algorithm or not isinstance(kid, str):
                raise _invalid("algorithm not allowed, or no key id")
            key = await self._keys.find(kid, algorithm)
            if key is None:
                raise _invalid("unknown key id")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=settings.auth_audience,
                issuer=settings.auth_issuer,
                leeway=settings.auth_leeway_seconds,
                options=self._options,
            )
        except (PyJWTError, ValueError, OverflowError, RecursionError) as error:
            raise _invalid(str(error)) from None
        for name in _TIMES:
            if name in claims and not _is_time(claims[name]):
                raise _invalid(f"{name} is not a number of seconds")
        return claims

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        for name in self._settings.auth_actor_id_claims:
            value = claims.get(name)
            if isinstance(value, str) and value.strip() and is_plain(value.strip()):
                return Principal(
                    actor_id=value.strip(),
                    roles=_roles(claims, self._settings.auth_roles_claim),
                    expires_at=float(int(claims["exp"])),
                )
        raise _invalid("no claim names an actor")


def is_plain(word: str) -> bool:
    """Whether a name is short and printable, because it is written to rows and logs."""
    return len(word) <= _LONGEST_WORD and word.isprintable()


def _is_time(value: object) -> bool:
    """Whether a claim is a NumericDate from 1970 to 9999; NaN compares false."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LATEST_SECONDS


def _roles(claims: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the distinct roles of all role claims, in order: words of a text, or items of a list."""
    found: dict[str, None] = {}
    for name in names:
        value = claims.get(name)
        words = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
        for word in words:
            if isinstance(word, str) and word.strip() and is_plain(word.strip()):
                found[word.strip()] = None
    return tuple(found)


def _invalid(reason: str) -> UnauthenticatedError:
    """Log the reason at DEBUG and return an error without it: the caller must not learn it."""
    _LOG.debug("token not believed", extra=fields(reason=reason[:_LONGEST_REASON]))
    return UnauthenticatedError("Invalid token", challenge="invalid_token")
