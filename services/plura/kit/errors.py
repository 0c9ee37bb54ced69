"""The base of the errors of the services."""

from __future__ import annotations

from python_jobs.errors import PluraError


class ServiceError(PluraError):
    """A problem that the operator of a service can solve; its text says what it is and what to do."""
