"""Identified callers and their roles."""

from __future__ import annotations

from dataclasses import dataclass

ADMIN_READ = "ADMIN_READ"
"""May look up transactions, orders and wallets."""
ADMIN_AUDIT = "ADMIN_AUDIT"
"""May also read the audit."""
KNOWN_ROLES = (ADMIN_READ, ADMIN_AUDIT)
"""All roles that grant a right."""


@dataclass(frozen=True, kw_only=True)
class Principal:
    """An identified caller: id, roles, and the expiry of its token in seconds since 1970."""

    actor_id: str | None
    roles: tuple[str, ...]
    expires_at: float | None = None
    unrestricted: bool = False

    def has_any(self, *roles: str) -> bool:
        """Whether the caller has one of ``roles``; names are case-sensitive."""
        return self.unrestricted or any(role in self.roles for role in roles)
