"""A key set that can verify nothing: the service is not ready by it, and says so."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

from dev.servers.identity import ec_key, jwk, jwks, rsa_key
from plura.kit.auth.errors import KeysUnavailableError
from plura.kit.auth.keys import REFRESH_SECONDS, RETRY_SECONDS, FixedKeys, JwksKeys, usable_keys
from plura.kit.auth.settings import ASYMMETRIC
from tests.unit.kit.verification import DOCUMENT, Source

USELESS: dict[str, list[Any]] = {
    "no key": [],
    "a key for encryption": [jwk(rsa_key("k1"), "k1", use="enc")],
    "keys for other operations": [
        jwk(rsa_key("k1"), "k1", key_ops=["encrypt", "wrapKey"]),
        jwk(rsa_key("k1"), "k1", key_ops=[]),
        jwk(rsa_key("k1"), "k1", key_ops="verify"),
        jwk(rsa_key("k1"), "k1", use="enc", key_ops=["verify"]),
    ],
    "a key of another algorithm": [jwk(rsa_key("k1"), "k1", alg="PS256")],
    "a key of another kind": [jwk(ec_key("e1"), "e1", alg="ES256")],
    "a key without an id": [{name: value for name, value in jwk(rsa_key("k1"), "k1").items() if name != "kid"}],
    "a short key": [jwk(rsa_key("short", 1024), "short")],
    "a secret": [{"kty": "oct", "kid": "secret", "k": "c2VjcmV0", "alg": "HS256"}],
    "no objects": [None, 1, "k1", []],
    "parts of other kinds": [{"kty": "RSA", "kid": "k1", "n": 5, "e": ["AQAB"]}, {"kty": "RSA", "kid": "k2"}],
    "an unhashable kind": [{"kty": {"a": 1}, "kid": "k1"}],
}


@pytest.mark.parametrize("kind", USELESS)
def test_a_key_set_without_a_usable_key_is_not_ready_and_is_logged(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    source = Source()
    source.document = jwks(*USELESS[kind])

    async def scenario() -> None:
        keys = source.keys()
        await keys.start()
        assert not keys.are_known
        with pytest.raises(KeysUnavailableError):
            await keys.find("k1", "RS256")
        assert [record.message for record in caplog.records] == ["key set without a usable key"]
        source.document = DOCUMENT
        source.now += RETRY_SECONDS
        assert await keys.find("k1", "RS256") is not None
        assert keys.are_known
        await keys.close()

    asyncio.run(scenario())
    assert not FixedKeys(jwks(*USELESS[kind]), ("RS256",)).are_known


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521", "secp256k1", "Ed25519", "Ed448"])
def test_a_key_of_a_curve_is_for_the_algorithm_of_that_curve(curve: str) -> None:
    kinds: dict[str, Any] = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}
    kinds |= {"secp256k1": ec.SECP256K1}
    if curve in kinds:
        entry = ECAlgorithm.to_jwk(ec.generate_private_key(kinds[curve]()).public_key(), as_dict=True)
    else:
        made: Any = (ed25519.Ed25519PrivateKey if curve == "Ed25519" else ed448.Ed448PrivateKey).generate()
        entry = OKPAlgorithm.to_jwk(made.public_key(), as_dict=True)
    expected = {"P-256": ["ES256"], "P-384": ["ES384"], "P-521": ["ES512"], "secp256k1": []}.get(curve, ["EdDSA"])
    found = usable_keys(jwks({**entry, "kid": "k1"}), ASYMMETRIC)
    assert [algorithm for _, algorithm in found] == expected


def test_a_key_without_a_word_about_its_use_verifies() -> None:
    key = jwk(rsa_key("k1"), "k1")
    bare = {name: value for name, value in key.items() if name not in ("use", "key_ops")}
    for entry in (bare, {**bare, "key_ops": ["verify"]}, {**bare, "key_ops": ["sign", "verify"]}):
        assert FixedKeys(jwks(entry), ("RS256",)).are_known


@pytest.mark.parametrize("answer", [b"[" * 100_000, b'{"keys":' * 50_000, b"9" * 5000, b'{"keys": [' + b"[" * 90_000])
def test_an_answer_that_cannot_be_read_keeps_the_last_keys(answer: bytes) -> None:
    source = Source()

    async def broken(_: str) -> bytes:
        return answer

    async def scenario() -> None:
        keys = source.keys()
        await keys.start()
        keys._download = broken
        source.now += RETRY_SECONDS
        assert await keys.find("k9", "RS256") is None
        assert keys.are_known
        await keys.close()

    asyncio.run(scenario())


def test_a_provider_that_withdraws_all_keys_is_believed() -> None:
    source = Source()

    async def scenario() -> None:
        keys = source.keys()
        await keys.start()
        assert keys.are_known
        source.document = jwks()
        source.now += RETRY_SECONDS
        with pytest.raises(KeysUnavailableError):
            await keys.find("k9", "RS256")
        assert not keys.are_known
        with pytest.raises(KeysUnavailableError):
            await keys.find("k1", "RS256")
        await keys.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(("document", "pause"), [(jwks(), RETRY_SECONDS), (DOCUMENT, REFRESH_SECONDS)])
def test_a_useless_key_set_is_asked_for_again_soon(
    document: Any, pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def scenario() -> None:
        paused = asyncio.Event()

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)
            paused.set()
            await asyncio.Event().wait()

        async def download(_: str) -> bytes:
            return json.dumps(document).encode()

        monkeypatch.setattr("plura.kit.auth.keys.asyncio.sleep", sleep)
        keys = JwksKeys("https://login.example.test/keys", ("RS256",), download=download)
        await keys.start()
        await paused.wait()
        await keys.close()

    asyncio.run(scenario())
    assert pauses == [pause]
