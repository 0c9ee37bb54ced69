"""Cookies that only this service can write and read."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from pydantic import SecretStr

SHORTEST_KEY = 32
"""Fewest characters of a key in the settings."""


class Sealer:
    """Encrypts and signs small objects for a purpose; an object of a different purpose is not accepted."""

    def __init__(self, key: SecretStr, purpose: str) -> None:
        digest = hashlib.sha256(f"{purpose}:{key.get_secret_value()}".encode()).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(digest))

    def seal(self, content: Mapping[str, Any]) -> str:
        """Return ``content`` as text for a cookie."""
        return self._fernet.encrypt(json.dumps(content, ensure_ascii=False).encode()).decode("ascii")

    def open(self, sealed: str, *, seconds: int) -> dict[str, Any] | None:
        """Return the content, None unless it was sealed with this key and purpose within the last ``seconds``."""
        try:
            content: dict[str, Any] = json.loads(self._fernet.decrypt(sealed.encode("utf-8", "replace"), ttl=seconds))
        except InvalidToken:
            return None
        return content
