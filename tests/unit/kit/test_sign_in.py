"""Whatever a provider answers to a code, somebody is signed in or told that it did not work."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from dev.servers.identity import AUDIENCE, ISSUER, jwk, jwks, rsa_key, token
from plura.kit.auth.errors import UnauthenticatedError
from plura.kit.auth.keys import FixedKeys
from plura.kit.auth.settings import AuthSettings
from plura.kit.auth.sign_in import SignIn, SignInSettings
from plura.kit.auth.tokens import TokenVerifier
from plura.kit.fetch import FetchError

AUTH = AuthSettings(auth_issuer=ISSUER, auth_audience=AUDIENCE, auth_jwks_url="https://login.example.test/keys")
SETTINGS = SignInSettings(
    console_client_id="console",
    console_authorize_url="https://login.example.test/authorize",
    console_token_url="https://login.example.test/token",  # noqa: S106  # an address
    console_url="https://lookup.example.test",
    console_session_key=SecretStr("k" * 32),
)
ANSWERS: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"<html>",
    "no UTF-8": b"\xff\xfe{",
    "endless depth": b"[" * 100_000,
    "an endless number": b"9" * 5000,
    "another kind": b"[]",
    "no token": b'{"error": "invalid_grant"}',
    "a token of another kind": b'{"access_token": {"a": 1}}',
    "a blank token": b'{"access_token": ""}',
    "half a character": b'{"access_token": "\\ud800.\\ud800.\\ud800"}',
    "a token that is too long": json.dumps({"access_token": "a." * 100_000}).encode(),
    "an opaque token": b'{"access_token": "opaque"}',
}


def finished(answer: bytes | FetchError) -> Any:
    async def post(*_: Any, **__: Any) -> bytes:
        if isinstance(answer, FetchError):
            raise answer
        return answer

    verifier = TokenVerifier(AUTH, FixedKeys(jwks(jwk(rsa_key("k1"), "k1")), AUTH.auth_algorithm))
    sign_in = SignIn(SETTINGS, verifier, callback="/console/callback", post=post)
    where, cookie = sign_in.begin("/console")
    state = parse_qs(urlsplit(where).query)["state"][0]
    return asyncio.run(sign_in.finish(code="c", state=state, cookie=cookie))


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_untrusted_token_does_not_sign_in(kind: str) -> None:
    with pytest.raises(UnauthenticatedError):
        finished(ANSWERS[kind])


def test_without_an_answer_of_the_provider_a_sign_in_fails() -> None:
    with pytest.raises(UnauthenticatedError):
        finished(FetchError("away"))


def test_a_valid_token_signs_in() -> None:
    _, seconds, following = finished(json.dumps({"access_token": token()}).encode())
    assert seconds > 0
    assert following == "/console"
