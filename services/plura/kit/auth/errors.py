"""Errors of authentication."""

from __future__ import annotations


class AuthError(Exception):
    """The caller cannot be identified."""


class UnauthenticatedError(AuthError):
    """The request has no credentials, or invalid ones. The message may be shown to the caller."""

    def __init__(self, message: str, *, challenge: str | None = None) -> None:
        """Keep the message and the error code of RFC 6750, None if no token was sent."""
        super().__init__(message)
        self.challenge = challenge


class KeysUnavailableError(AuthError):
    """The keys of the identity provider are not available, so that no token can be verified."""

    def __init__(self) -> None:
        super().__init__("The keys of the identity provider are not available")
