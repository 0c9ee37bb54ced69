"""Tokens, keys and verifiers for tests. Keys are real, nothing is sent: attackers' tokens as they would sign them."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dev.servers.identity import AUDIENCE, ISSUER, claims, ec_key, jwk, jwks, rsa_key, token
from plura.kit.auth.errors import UnauthenticatedError
from plura.kit.auth.keys import FixedKeys, JwksKeys
from plura.kit.auth.principal import Principal
from plura.kit.auth.settings import AuthSettings
from plura.kit.auth.tokens import LONGEST_TOKEN, TokenVerifier
from plura.kit.fetch import FetchError

DOCUMENT = jwks(jwk(rsa_key("k1"), "k1"), jwk(ec_key("e1"), "e1", alg="ES256"))


def settings(**changed: Any) -> AuthSettings:
    usual = {"auth_issuer": ISSUER, "auth_audience": AUDIENCE, "auth_jwks_url": "https://login.example.test/keys"}
    return AuthSettings(**(usual | changed))


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


class CountingKeys(FixedKeys):
    looks = 0

    async def find(self, kid: str, algorithm: str) -> Any:
        self.looks += 1
        return await super().find(kid, algorithm)


def verifier(clock: Clock | None = None, **changed: Any) -> tuple[TokenVerifier, CountingKeys]:
    chosen = settings(**changed)
    keys = CountingKeys(DOCUMENT, chosen.auth_algorithm)
    return TokenVerifier(chosen, keys, clock=clock or Clock()), keys


def verified(given_token: str, **changed: Any) -> Principal:
    return asyncio.run(verifier(**changed)[0].verify(given_token))


def refused(given_token: str, **changed: Any) -> None:
    with pytest.raises(UnauthenticatedError, match=r"^Invalid token$") as caught:
        verified(given_token, **changed)
    assert caught.value.challenge == "invalid_token"


def unsigned(head: dict[str, Any], said: dict[str, Any], signature: str = "") -> str:
    def part(content: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    return f"{part(head)}.{part(said)}.{signature}"


PUBLIC_PEM = rsa_key("k1").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
BAD: dict[str, Callable[[], str]] = {
    "no algorithm": lambda: unsigned({"alg": "none", "kid": "k1"}, claims()),
    "no algorithm, other case": lambda: unsigned({"alg": "nOnE", "kid": "k1"}, claims()),
    "wrong key under a known id": lambda: token(key=rsa_key("other")),
    "unknown key id": lambda: token(key=rsa_key("other"), kid="k9"),
    "no key id": lambda: token(kid=None),
    "another algorithm of the same key": lambda: token(algorithm="RS512"),
    "public key as secret": lambda: unsigned({"alg": "HS256", "kid": "k1"}, claims(), "c2ln"),
    "own key in the head": lambda: token(key=rsa_key("other"), headers={"jwk": jwk(rsa_key("other"), "k1")}),
    "own key address in the head": lambda: token(
        key=rsa_key("other"), headers={"jku": "https://evil.example.test/keys", "x5u": "https://evil.example.test"}
    ),
    "critical extension": lambda: token(headers={"crit": ["exp"], "exp": 1}),
    "wrong issuer": lambda: token(iss="https://evil.example.test"),
    "no issuer": lambda: token(iss=None),
    "wrong audience": lambda: token(aud="api://other"),
    "no audience": lambda: token(aud=None),
    "expired beyond the leeway": lambda: token(exp=int(time.time()) - 6),
    "no expiry": lambda: token(exp=None),
    "expiry is no number": lambda: token(exp="soon"),
    "expiry is infinite": lambda: token(exp=float("inf")),
    "not yet valid": lambda: token(nbf=int(time.time()) + 300),
    "nobody": lambda: token(oid=None, sub=None),
    "actor with a line break": lambda: token(oid="a\r\nb", sub=None),
    "actor with NUL": lambda: token(oid="a\x00b", sub=None),
    "actor of 10,000 characters": lambda: token(oid="a" * 10_000, sub=None),
    "too long": lambda: token(more="x" * LONGEST_TOKEN),
    "garbage": lambda: "garbage",
    "dots": lambda: "..",
    "not ASCII": lambda: "ä.ö.ü",
    "surrogate": lambda: "\ud800.a.b",
    "changed payload": lambda: ".".join(
        [token().split(".")[0], token(roles=["ADMIN_AUDIT"], sub="other").split(".")[1], token().split(".")[2]]
    ),
}
"""Made when they are needed: tests that come late must not find them expired, or valid at last."""


class Source:
    """Answers for the provider, with a clock of its own."""

    def __init__(self) -> None:
        self.document: Any = DOCUMENT
        self.requests = 0
        self.now = 1000.0
        self.fails = False

    async def __call__(self, _: str) -> bytes:
        self.requests += 1
        await asyncio.sleep(0)
        if self.fails:
            raise FetchError("down")
        return json.dumps(self.document).encode()

    def clock(self) -> float:
        return self.now

    def keys(self) -> JwksKeys:
        return JwksKeys("https://login.example.test/keys", ("RS256",), download=self, clock=self.clock)
