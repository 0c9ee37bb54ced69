"""The salt of the pseudonyms: where it comes from, which ones are refused, and the fingerprint that it is known by.

All keys of one version are made with one salt. Which one that was is known by its fingerprint, which is kept for each
version. A fingerprint is a scrypt hash with random bits of its own: a guess at the salt costs 32 MiB and a tenth of a
second, where a guess by a key of ``gold.fact_payment_anonymized`` costs one SHA-256.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from python_jobs.environment import environment_name

DUMMY = "local-salt-v1"

_COST, _BLOCK_SIZE = 2**15, 8
_MEMORY = 2 * 128 * _COST * _BLOCK_SIZE


@dataclass(frozen=True, kw_only=True)
class Salt:
    """A salt, and the version that the keys made with it are labelled with."""

    value: str
    version: str

    def fingerprint(self) -> str:
        """Return a new fingerprint of the salt; each has other random bits."""
        nonce = secrets.token_bytes(16)
        parts = (nonce, _hash(self.value, nonce, _COST, _BLOCK_SIZE))
        return "$".join(["scrypt", str(_COST), str(_BLOCK_SIZE), *(base64.b64encode(part).decode() for part in parts)])

    def known_fingerprint(self, known: Iterable[tuple[str, str]]) -> str | None:
        """Return the fingerprint of this version among those of all versions, None for a new version.

        Raises:
            ValueError: the version was made with another salt.
        """
        for version, fingerprint in known:
            if version != self.version:
                continue
            _, cost, block_size, nonce, digest = fingerprint.split("$")
            ours = _hash(self.value, base64.b64decode(nonce), int(cost), int(block_size))
            if not hmac.compare_digest(ours, base64.b64decode(digest)):
                raise ValueError(
                    f"The salt is not the one that the keys of version {version!r} were made with: set that one again"
                    " (ANON_USER_KEY_SALT, or the secret), or name a new ANON_USER_KEY_SALT_VERSION for the new salt."
                )
            return fingerprint
        return None


def checked_salt(value: str, version: str, environment: str) -> Salt:
    """Return a salt that may be used in an environment.

    Raises:
        ValueError: it is blank, has white space around it, or is the dummy in production; or its version is no label.
    """
    if not value.strip():
        raise ValueError("The salt is blank: set ANON_USER_KEY_SALT, or the secret, to a random text.")
    if value != value.strip():
        raise ValueError(
            "The salt begins or ends with white space, which another reader of it may drop: write it without, for"
            " example with printf '%s' instead of echo."
        )
    if value == DUMMY and environment == "prod":
        raise ValueError("No salt: set ANON_USER_KEY_SALT; the local dummy is refused in production (PLURA_ENV=prod).")
    if not version or version != version.strip():
        raise ValueError(
            f"ANON_USER_KEY_SALT_VERSION is {version!r}: name a version without white space around it, or do not set it"
        )
    return Salt(value=value, version=version)


def salt_of_environment() -> Salt:
    """Return ``ANON_USER_KEY_SALT`` and its version, or the dummy where there is none.

    Raises:
        ValueError: the salt is refused, or ``PLURA_ENV`` is wrong.
    """
    given = os.environ.get("ANON_USER_KEY_SALT", "")
    version = os.environ.get("ANON_USER_KEY_SALT_VERSION", "v1" if given else "local-v1")
    return checked_salt(given or DUMMY, version, environment_name())


def salt_problem(known: str) -> str:
    """Return why the salt of the environment cannot be used on a warehouse; empty if it can.

    Args:
        known: JSON list of the versions that the warehouse knows with their fingerprints.
    """
    try:
        salt_of_environment().known_fingerprint((version, fingerprint) for version, fingerprint in json.loads(known))
    except ValueError as error:
        return str(error)
    return ""


def _hash(salt: str, nonce: bytes, cost: int, block_size: int) -> bytes:
    return hashlib.scrypt(salt.encode(), salt=nonce, n=cost, r=block_size, p=1, maxmem=_MEMORY, dklen=32)
