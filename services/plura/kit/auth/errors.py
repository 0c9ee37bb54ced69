"""Why somebody is not let in."""

from __future__ import annotations


class AuthError(Exception):
    """Nobody could be identified."""


class UnauthenticatedError(AuthError):
    """The request names nobody, or not in a way that can be believed. The message may be shown to the caller."""

    def __init__(self, message: str, *, challenge: str | None = None) -> None:
        """Keep the message and the error code of RFC 6750, None where no token was sent."""
        super().__init__(message)
        self.challenge = challenge


class KeysUnavailableError(AuthError):
    """The keys of the identity provider are not known, so that no token can be judged."""

    def __init__(self) -> None:
        super().__init__("The keys of the identity provider are not available")
