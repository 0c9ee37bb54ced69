"""The keys that tokens are verified with, as the identity provider publishes them (RFC 7517)."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from jwt import PyJWK
from jwt.exceptions import PyJWTError

from plura.kit.auth.errors import KeysUnavailableError
from plura.kit.fetch import FetchError, fetch
from plura.kit.observability.logs import fields

_LOG = logging.getLogger(__name__)

REFRESH_SECONDS = 300.0
"""Pause between two looks at the provider's keys."""
RETRY_SECONDS = 5.0
"""The same after a failure, and the least pause between two looks because of an unknown key."""
LONGEST_USE_SECONDS = 86_400.0
"""How long keys are trusted while the provider does not answer."""

_ALGORITHMS = {"RSA": ("RS", "PS"), "EC": ("ES",), "OKP": ("EdDSA",)}
_SHORTEST_RSA_BITS = 2048


class Keys(Protocol):
    """Finds the key of a token."""

    async def find(self, kid: str, algorithm: str) -> PyJWK | None:
        """Return the key named ``kid`` for ``algorithm``, None if the provider has none.

        Raises:
            KeysUnavailableError: nobody can tell, because the provider never answered or not for too long.
        """
        ...

    @property
    def are_known(self) -> bool:
        """Whether tokens can be judged at all."""
        ...


class FixedKeys:
    """Keys that are given once; the twin of ``JwksKeys`` without a network."""

    def __init__(self, document: dict[str, Any], algorithms: Iterable[str]) -> None:
        self._keys = usable_keys(document, algorithms)

    async def find(self, kid: str, algorithm: str) -> PyJWK | None:
        """Return the key, None if there is none."""
        return self._keys.get((kid, algorithm))

    @property
    def are_known(self) -> bool:
        """Whether one of the keys can verify a token."""
        return bool(self._keys)


class JwksKeys:
    """Keys of a JWKS address, refreshed in the background.

    Requests read what is in memory. A token with an unknown key asks the provider at most every five seconds, for all
    waiting requests at once, so that a flood of invented tokens is no flood for the provider. While the provider is
    down the last keys are used for a day. A key set without a usable key withdraws all keys: no token can be verified
    until the provider publishes one.
    """

    def __init__(
        self,
        url: str,
        algorithms: Iterable[str],
        *,
        download: Callable[[str], Awaitable[bytes]] = fetch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._algorithms = tuple(algorithms)
        self._download = download
        self._clock = clock
        self._keys: dict[tuple[str, str], PyJWK] = {}
        self._loaded_at: float | None = None
        self._asked_at: float | None = None
        self._asking: asyncio.Task[bool] | None = None
        self._background: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Ask for the keys once, then in the background; a provider that does not answer is no reason to wait."""
        await self._refresh()
        self._background = asyncio.create_task(self._keep_fresh(), name="refresh keys")

    async def close(self) -> None:
        """End the background task."""
        if self._background is not None:
            self._background.cancel()
            await asyncio.gather(self._background, return_exceptions=True)

    async def find(self, kid: str, algorithm: str) -> PyJWK | None:
        """Return the key, None if the provider has none."""
        key = self._keys.get((kid, algorithm))
        if key is None and self._may_ask:
            await self._refresh()
            key = self._keys.get((kid, algorithm))
        if not self.are_known:
            raise KeysUnavailableError
        return key

    @property
    def are_known(self) -> bool:
        """Whether the provider published a usable key within a day."""
        return (
            bool(self._keys) and self._loaded_at is not None and self._clock() - self._loaded_at <= LONGEST_USE_SECONDS
        )

    @property
    def _may_ask(self) -> bool:
        if self._asking is not None:
            return True
        return self._asked_at is None or self._clock() - self._asked_at >= RETRY_SECONDS

    async def _keep_fresh(self) -> None:
        fresh = self.are_known
        while True:
            await asyncio.sleep(REFRESH_SECONDS if fresh else RETRY_SECONDS)
            fresh = await self._refresh()

    async def _refresh(self) -> bool:
        """Ask the provider, together with whoever is asking already; False if that gave no usable key."""
        if self._asking is None:
            self._asked_at = self._clock()
            self._asking = asyncio.create_task(self._ask(), name="fetch keys")
            self._asking.add_done_callback(self._asked)
        return await asyncio.shield(self._asking)

    def _asked(self, _: asyncio.Task[bool]) -> None:
        self._asking = None

    async def _ask(self) -> bool:
        try:
            keys = usable_keys(json.loads(await self._download(self._url)), self._algorithms)
        except (FetchError, ValueError, RecursionError) as error:
            _LOG.warning("keys of the identity provider not fetched", extra=fields(reason=str(error)))
            return False
        self._keys = keys
        self._loaded_at = self._clock()
        if not keys:
            _LOG.warning("key set without a usable key", extra=fields(url=self._url, algorithms=self._algorithms))
        return bool(keys)


def usable_keys(document: Any, algorithms: Iterable[str]) -> dict[tuple[str, str], PyJWK]:
    """Return the keys of a JWKS document that may verify signatures, by key id and algorithm.

    Keys for other operations, secret keys, short RSA keys, keys of other curves, keys without an id and keys of unknown
    kinds are left out.

    Raises:
        ValueError: the document is no JWKS.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("not a JSON Web Key Set")  # noqa: TRY004  # a document of the wrong kind is a wrong value
    found: dict[tuple[str, str], PyJWK] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not _may_verify(entry) or not isinstance(entry.get("kid"), str):
            continue
        families = _ALGORITHMS.get(str(entry.get("kty")), ())
        for algorithm in algorithms:
            if algorithm.startswith(families) and entry.get("alg", algorithm) == algorithm:
                try:
                    key = PyJWK(entry, algorithm)
                    key.Algorithm.prepare_key(key.key)  # refuses a key of another curve, as each token would
                except PyJWTError:
                    continue
                if getattr(key.key, "key_size", _SHORTEST_RSA_BITS) >= _SHORTEST_RSA_BITS or entry["kty"] != "RSA":
                    found[entry["kid"], algorithm] = key
    return found


def _may_verify(entry: dict[str, Any]) -> bool:
    """Whether a key is published for signatures; without a word about its use it is for everything."""
    operations = entry.get("key_ops", ["verify"])
    return entry.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
