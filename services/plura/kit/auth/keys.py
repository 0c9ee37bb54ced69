"""The identity provider's keys, which verify tokens (RFC 7517)."""

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
"""Pause between two requests for the provider's keys."""
RETRY_SECONDS = 5.0
"""Pause after a failure, and the shortest pause between two requests because of unknown keys."""
LONGEST_USE_SECONDS = 86_400.0
"""How long keys are used while the provider does not answer."""

_ALGORITHMS = {"RSA": ("RS", "PS"), "EC": ("ES",), "OKP": ("EdDSA",)}
_SHORTEST_RSA_BITS = 2048


class Keys(Protocol):
    """Finds the key of a token."""

    async def find(self, kid: str, algorithm: str) -> PyJWK | None:
        """Return the key named ``kid`` for ``algorithm``, None if the provider has none.

        Raises:
            KeysUnavailableError: the provider never answered, or has not answered for too long.
        """
        ...

    @property
    def are_known(self) -> bool:
        """Whether tokens can be verified."""
        ...


class FixedKeys:
    """A fixed key set; the twin of ``JwksKeys`` without a network."""

    def __init__(self, document: dict[str, Any], algorithms: Iterable[str]) -> None:
        self._keys = usable_keys(document, algorithms)

    async def find(self, kid: str, algorithm: str) -> PyJWK | None:
        """Return the key, None if the set has none."""
        return self._keys.get((kid, algorithm))

    @property
    def are_known(self) -> bool:
        """Whether a key can verify tokens."""
        return bool(self._keys)


class JwksKeys:
    """Keys of a JWKS address, refreshed in the background.

    ``find`` reads keys from memory. An unknown key id causes a request at most every five seconds, shared by all
    waiting calls, so that a flood of invented tokens does not reach the provider. While the provider is unavailable,
    the last keys are used for a day. A key set without a usable key withdraws all keys: no token can be verified until
    the provider publishes a usable key.
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
        self._requested_at: float | None = None
        self._request: asyncio.Task[bool] | None = None
        self._background: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Request the keys, then refresh them in the background; does not wait for an unavailable provider."""
        await self._refresh()
        self._background = asyncio.create_task(self._keep_fresh(), name="refresh keys")

    async def close(self) -> None:
        """Stop the background task."""
        if self._background is not None:
            self._background.cancel()
            await asyncio.gather(self._background, return_exceptions=True)

    async def find(self, kid: str, algorithm: str) -> PyJWK | None:
        """Return the key, None if the provider has none."""
        key = self._keys.get((kid, algorithm))
        if key is None and self._may_request:
            await self._refresh()
            key = self._keys.get((kid, algorithm))
        if not self.are_known:
            raise KeysUnavailableError
        return key

    @property
    def are_known(self) -> bool:
        """Whether the provider published a usable key within the last day."""
        return (
            bool(self._keys) and self._loaded_at is not None and self._clock() - self._loaded_at <= LONGEST_USE_SECONDS
        )

    @property
    def _may_request(self) -> bool:
        if self._request is not None:
            return True
        return self._requested_at is None or self._clock() - self._requested_at >= RETRY_SECONDS

    async def _keep_fresh(self) -> None:
        fresh = self.are_known
        while True:
            await asyncio.sleep(REFRESH_SECONDS if fresh else RETRY_SECONDS)
            fresh = await self._refresh()

    async def _refresh(self) -> bool:
        """Request the keys, or join a running request; False if the provider has no usable key."""
        if self._request is None:
            self._requested_at = self._clock()
            self._request = asyncio.create_task(self._fetch(), name="fetch keys")
            self._request.add_done_callback(self._clear_request)
        return await asyncio.shield(self._request)

    def _clear_request(self, _: asyncio.Task[bool]) -> None:
        self._request = None

    async def _fetch(self) -> bool:
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
    types are left out.

    Raises:
        ValueError: the document is not a JWKS.
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
                    key.Algorithm.prepare_key(key.key)  # rejects a key of a different curve
                except PyJWTError:
                    continue
                if getattr(key.key, "key_size", _SHORTEST_RSA_BITS) >= _SHORTEST_RSA_BITS or entry["kty"] != "RSA":
                    found[entry["kid"], algorithm] = key
    return found


def _may_verify(entry: dict[str, Any]) -> bool:
    """Whether a key may verify signatures; a key without a stated use may."""
    operations = entry.get("key_ops", ["verify"])
    return entry.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
