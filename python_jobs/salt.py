"""The salt of the pseudonyms where no secret scope holds it: from the environment, else a dummy for local use."""

from __future__ import annotations

import os

_DUMMY = "local-salt-v1"


def salt_of_environment() -> str:
    """Return the value of ``ANON_USER_KEY_SALT``, or the dummy where there is none.

    Raises:
        ValueError: there is none in production (``PLURA_ENV=prod``).
    """
    given = os.environ.get("ANON_USER_KEY_SALT", "")
    if not given and os.environ.get("PLURA_ENV") == "prod":
        raise ValueError("No salt: set ANON_USER_KEY_SALT; the local dummy is refused in production (PLURA_ENV=prod).")
    return given or _DUMMY
