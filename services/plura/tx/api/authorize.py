"""Who may look up what."""

from __future__ import annotations

from plura.kit.auth.principal import ADMIN_AUDIT, ADMIN_READ
from plura.kit.http.audit_context import Subject
from plura.kit.http.authorize import Authorize

READERS = (ADMIN_READ, ADMIN_AUDIT)
AUDITORS = (ADMIN_AUDIT,)


def authorize_reader(subject: Subject) -> Authorize:
    """Return the dependency of a lookup: administrators and auditors may make it."""
    return Authorize(subject, roles=READERS)
