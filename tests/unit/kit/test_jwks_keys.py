"""Keys of a JWKS address: which are usable, when they are requested, and how long they are used."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dev.servers.identity import jwk, jwks, rsa_key
from plura.kit.auth.errors import KeysUnavailableError
from plura.kit.auth.keys import LONGEST_USE_SECONDS, RETRY_SECONDS, usable_keys
from tests.unit.kit.verification import (
    Source,
)


def test_only_public_signature_keys_of_good_length_are_used() -> None:
    document = jwks(
        jwk(rsa_key("k1"), "k1"),
        jwk(rsa_key("k2"), "enc", use="enc"),
        jwk(rsa_key("short", 1024), "short"),
        {"kty": "oct", "kid": "secret", "k": "c2VjcmV0", "alg": "HS256"},
        {"kty": "RSA", "kid": "broken", "n": "?", "e": "AQAB"},
        {"kty": "RSA", "n": "AQ", "e": "AQAB"},
        jwk(rsa_key("k2"), "other", alg="PS256"),
    )
    assert set(usable_keys(document, ("RS256", "HS256", "ES256"))) == {("k1", "RS256")}


@pytest.mark.parametrize("document", [[], {}, {"keys": None}, "keys"])
def test_a_document_of_another_kind_is_refused(document: Any) -> None:
    with pytest.raises(ValueError, match="not a JSON Web Key Set"):
        usable_keys(document, ("RS256",))


def test_a_flood_of_unknown_keys_asks_the_provider_once() -> None:
    source = Source()

    async def scenario() -> None:
        keys = source.keys()
        await keys.start()
        assert source.requests == 1
        await asyncio.gather(*(keys.find(f"k-{number}", "RS256") for number in range(500)))
        assert source.requests == 1
        source.now += RETRY_SECONDS
        await asyncio.gather(*(keys.find(f"k-{number}", "RS256") for number in range(500)))
        assert source.requests == 2
        assert await keys.find("k1", "RS256") is not None
        await keys.close()

    asyncio.run(scenario())


def test_a_new_key_is_found_and_a_withdrawn_one_is_gone() -> None:
    source = Source()

    async def scenario() -> None:
        keys = source.keys()
        await keys.start()
        source.document = jwks(jwk(rsa_key("k2"), "k2"))
        source.now += RETRY_SECONDS
        assert await keys.find("k2", "RS256") is not None
        assert await keys.find("k1", "RS256") is None
        await keys.close()

    asyncio.run(scenario())


def test_a_provider_that_never_answered_makes_keys_unavailable() -> None:
    source = Source()
    source.fails = True

    async def scenario() -> None:
        keys = source.keys()
        await keys.start()
        assert not keys.are_known
        with pytest.raises(KeysUnavailableError):
            await keys.find("k1", "RS256")
        assert source.requests == 1
        source.fails = False
        source.now += RETRY_SECONDS
        assert await keys.find("k1", "RS256") is not None
        await keys.close()

    asyncio.run(scenario())


def test_the_last_keys_serve_while_the_provider_is_down_for_a_day() -> None:
    source = Source()

    async def scenario() -> None:
        keys = source.keys()
        await keys.start()
        source.fails = True
        source.now += LONGEST_USE_SECONDS
        assert await keys.find("k1", "RS256") is not None
        source.now += 1
        with pytest.raises(KeysUnavailableError):
            await keys.find("k1", "RS256")
        await keys.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"keys": 1}', b"\xff"])
def test_a_broken_answer_keeps_the_last_keys(answer: bytes) -> None:
    source = Source()

    async def scenario() -> None:
        keys = source.keys()
        await keys.start()

        async def broken(_: str) -> bytes:
            return answer

        keys._download = broken
        source.now += RETRY_SECONDS
        assert await keys.find("k9", "RS256") is None
        assert await keys.find("k1", "RS256") is not None
        await keys.close()

    asyncio.run(scenario())
