"""The base of what a service says when it cannot go on."""

from __future__ import annotations


class ServiceError(Exception):
    """A problem the one who runs the service can solve; its text says what it is and what to do."""
