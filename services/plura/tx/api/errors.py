"""Errors of lookups."""

from __future__ import annotations

from plura.kit.http.errors import UnavailableError


class LookupUnavailableError(UnavailableError):
    """The database is not available; nothing was looked up"""  # noqa: D415  # the same style
