"""Claims that are signed and still nonsense: no content of a token does anything but refuse it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dev.servers.identity import claims, rsa_key
from plura.kit.auth.errors import UnauthenticatedError
from plura.kit.auth.principal import Principal
from tests.unit.kit.verification import refused, unsigned, verified, verifier

NUMBERS = {
    "10^400": "1" + "0" * 400,
    "-10^400": "-1" + "0" * 400,
    "10^5000": "1" + "0" * 5000,
    "1e400": "1e400",
    "-1e400": "-1e400",
    "1e308": "1e308",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "year 10000": "253402300800",
    "milliseconds": "1770260400000000",
    "2^63": str(2**63),
    "negative": "-1",
    "text": '"9999999999"',
    "text of digits of another script": '"٩٩٩٩٩٩٩٩٩٩"',
    "blank": '""',
    "true": "true",
    "false": "false",
    "null": "null",
    "list": "[9999999999]",
    "object": '{"a": 1}',
    "nested": "[" * 3000 + "]" * 3000,
}
OTHERS = ("aud", "iss", "sub", "oid", "jti", "roles", "scp", "azp", "ver", "nonce")


def signed(payload: bytes, **head: Any) -> str:
    """A token of the provider's key with exactly these bytes."""
    return jwt.PyJWS().encode(payload, rsa_key("k1"), algorithm="RS256", headers={"kid": "k1", **head})


def with_claim(name: str, raw: str) -> str:
    usual = {key: value for key, value in claims().items() if key != name}
    return signed(f'{json.dumps(usual)[:-1]}, "{name}": {raw}}}'.encode())


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("kind", NUMBERS)
def test_a_time_that_is_no_time_makes_no_token(name: str, kind: str) -> None:
    refused(with_claim(name, NUMBERS[kind]))


@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_a_time_may_have_a_fraction(name: str) -> None:
    assert verified(with_claim(name, "1770260400.25")).actor_id == "0f-admin"


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("kind", NUMBERS)
def test_a_claim_of_another_kind_breaks_nothing(name: str, kind: str) -> None:
    judged(with_claim(name, NUMBERS[kind]))


@pytest.mark.parametrize(
    "roles",
    [
        [{"name": "ADMIN_READ"}],
        {"ADMIN_READ": True},
        [["ADMIN_READ"]],
        [None, 1, True, "\ud800", "ADMIN_READ\x00"],
        "\ud800 \x00",
        ["x" * 5000],
    ],
)
def test_roles_of_another_kind_open_nothing(roles: Any) -> None:
    found = judged(signed(json.dumps({**claims(), "roles": roles}).encode()))
    assert isinstance(found, Principal)
    assert found.roles == ()


@pytest.mark.parametrize(
    "head",
    [
        {"kid": "k" * 9000},
        {"kid": ["k1"]},
        {"kid": {"a": 1}},
        {"kid": 10**400},
        {"kid": None},
        {"kid": "\ud800"},
        {"alg": ["RS256"]},
        {"alg": {"RS256": 1}},
        {"alg": 256},
        {"alg": None},
        {"crit": "exp"},
        {"crit": [1]},
        {"crit": {"a": 1}},
        {"b64": False, "crit": ["b64"]},
        {"typ": 10**400},
        {"zip": "DEF"},
    ],
)
def test_a_head_of_another_kind_makes_no_token(head: dict[str, Any]) -> None:
    refused(unsigned({"alg": "RS256", "kid": "k1"} | head, claims(), "AAAA"))


@pytest.mark.parametrize("payload", [b"", b"[]", b"1", b"null", b'"x"', b"\xff", b"{", b"[" * 6000, b'{"a":' * 2000])
def test_a_signed_payload_that_is_no_object_makes_no_token(payload: bytes) -> None:
    refused(signed(payload))


def judged(given_token: str) -> Principal | None:
    try:
        return asyncio.run(verifier()[0].verify(given_token))
    except UnauthenticatedError:
        return None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)  # signatures
@given(st.dictionaries(st.sampled_from(("exp", "nbf", "iat", *OTHERS)), JSON, max_size=6))
def test_whatever_is_signed_the_verifier_answers(changed: dict[str, Any]) -> None:
    judged(signed(json.dumps(claims() | changed).encode()))


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(("alg", "kid", "typ", "crit", "b64", "jku", "jwk", "x5c", "cty")), JSON))
def test_the_verifier_answers_for_any_token_header(changed: dict[str, Any]) -> None:
    refused(unsigned({"alg": "RS256", "kid": "k1"} | changed, claims(), "AAAA"))
