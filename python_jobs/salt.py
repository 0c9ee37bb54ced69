"""The salt of the pseudonyms: where it comes from, which salts are refused, and its fingerprint.

All keys of one version are made with one salt. It is recognized by its fingerprint, which is kept for each version. A
fingerprint is a scrypt hash over version and salt: a guess at the salt costs 32 MiB and a tenth of a second, while a
guess by a key of ``gold.fact_payment_anonymized`` costs one SHA-256. It holds no random bits, because the same input
gives the same Gold on every engine.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
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

    @property
    def fingerprint(self) -> str:
        """Identifies the salt: the method, its cost and block size, and the hash in base64."""
        digest = hashlib.scrypt(
            self.value.encode(),
            salt=f"plura, salt of pseudonyms, version {self.version}".encode(),
            n=_COST,
            r=_BLOCK_SIZE,
            p=1,
            maxmem=_MEMORY,
            dklen=32,
        )
        return f"scrypt${_COST}${_BLOCK_SIZE}${base64.b64encode(digest).decode()}"

    def refuse_if_changed(self, known: Iterable[tuple[str, str]]) -> None:
        """Refuse the salt if the keys of its version were made with another one.

        Args:
            known: the versions that a warehouse knows, with their fingerprints.

        Raises:
            ValueError: the fingerprint of the version is another one.
        """
        recorded = dict(known).get(self.version)
        if recorded is not None and not hmac.compare_digest(recorded, self.fingerprint):
            raise ValueError(
                f"The salt is not the one that the keys of version {self.version!r} were made with: set that one again"
                " (ANON_USER_KEY_SALT, or the secret), or name a new ANON_USER_KEY_SALT_VERSION for the new salt."
            )


def checked_salt(value: str, version: str, environment: str) -> Salt:
    """Return a salt that may be used in an environment.

    Raises:
        ValueError: it is blank, has white space around it, or is the dummy in production; or its version is blank or
            has white space around it.
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
        salt_of_environment().refuse_if_changed((version, fingerprint) for version, fingerprint in json.loads(known))
    except ValueError as error:
        return str(error)
    return ""
