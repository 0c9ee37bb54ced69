"""Errors of the console."""

from __future__ import annotations

from plura.kit.http.errors import UnauthorizedError


class SignInFailedError(UnauthorizedError):
    """The sign-in failed"""  # noqa: D415  # the same style

    code = "sign_in_failed"
