"""Somebody who was identified."""

from __future__ import annotations

from dataclasses import dataclass

ADMIN_READ = "ADMIN_READ"
"""May look up transactions, orders and wallets."""
ADMIN_AUDIT = "ADMIN_AUDIT"
"""May do that, and see who looked at what."""
KNOWN_ROLES = (ADMIN_READ, ADMIN_AUDIT)
"""All roles that open anything."""


@dataclass(frozen=True, kw_only=True)
class Principal:
    """An identified caller: id, roles, and until when the word of the provider holds (seconds since 1970)."""

    actor_id: str | None
    roles: tuple[str, ...]
    expires_at: float | None = None
    unrestricted: bool = False

    def has_any(self, *roles: str) -> bool:
        """Whether one of ``roles`` is held; names are case-sensitive."""
        return self.unrestricted or any(role in self.roles for role in roles)
