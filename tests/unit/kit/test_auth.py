"""Which tokens are believed. Keys are real, nothing is sent: attackers' tokens as they would sign them."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from dev.servers.identity import AUDIENCE, ISSUER, claims, ec_key, jwk, jwks, rsa_key, token
from plura.kit.auth.authenticators import BearerAuthenticator, NoAuthenticator
from plura.kit.auth.errors import KeysUnavailableError, UnauthenticatedError
from plura.kit.auth.keys import LONGEST_USE_SECONDS, RETRY_SECONDS, FixedKeys, JwksKeys, usable_keys
from plura.kit.auth.principal import ADMIN_AUDIT, ADMIN_READ, Principal
from plura.kit.auth.settings import AuthSettings
from plura.kit.auth.tokens import CACHE_SECONDS, CACHE_TOKENS, LONGEST_TOKEN, TokenVerifier
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


def test_a_good_token_tells_actor_roles_and_end() -> None:
    said = claims(roles=["ADMIN_READ", "X"], scp="ADMIN_AUDIT X")
    assert verified(token(said)) == Principal(
        actor_id="0f-admin", roles=("ADMIN_READ", "X", "ADMIN_AUDIT"), expires_at=float(said["exp"])
    )


def test_the_actor_is_the_first_claim_that_names_one() -> None:
    assert verified(token(oid=" ")).actor_id == "s-admin"
    assert verified(token(oid=None)).actor_id == "s-admin"


def test_an_elliptic_curve_key_signs_where_it_is_allowed() -> None:
    signed = token(key=ec_key("e1"), kid="e1", algorithm="ES256")
    assert verified(signed, auth_algorithm=("RS256", "ES256")).actor_id == "0f-admin"
    refused(signed)


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


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_refused(name: str) -> None:
    refused(BAD[name]())


@pytest.mark.parametrize(
    ("name", "reason"),
    [("wrong audience", "Audience doesn't match"), ("unknown key id", "unknown key id")],
)
def test_the_operator_can_learn_why_a_token_is_refused(
    caplog: pytest.LogCaptureFixture, name: str, reason: str
) -> None:
    caplog.set_level("DEBUG", "plura.kit.auth.tokens")
    refused(BAD[name]())
    (record,) = caplog.records
    assert (record.levelname, record.message) == ("DEBUG", "token not believed")
    assert vars(record)["plura_fields"] == {"reason": reason}


def test_a_secret_signature_with_the_public_key_is_refused() -> None:
    class AnySecret(jwt.algorithms.HMACAlgorithm):
        def prepare_key(self, key: Any) -> bytes:
            return bytes(key)

    jws = jwt.PyJWS()
    jws.unregister_algorithm("HS256")
    jws.register_algorithm("HS256", AnySecret(AnySecret.SHA256))
    refused(jws.encode(json.dumps(claims()).encode(), PUBLIC_PEM, algorithm="HS256", headers={"kid": "k1"}))


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_no_text_is_a_token_and_none_breaks_the_verifier(text: str) -> None:
    refused(text)


def test_clocks_may_differ_a_little() -> None:
    assert verified(token(exp=int(time.time()) - 20), auth_leeway_seconds=60).actor_id == "0f-admin"


def test_roles_are_words_or_items_and_nothing_else() -> None:
    assert verified(token(roles="A  B", scp=["B", "C", 7, "x\ny"])).roles == ("A", "B", "C")
    assert verified(token(roles={"ADMIN_READ": True})).roles == ()


def test_role_names_are_case_sensitive() -> None:
    assert verified(token(roles="admin_read")).has_any(ADMIN_READ, ADMIN_AUDIT) is False
    assert verified(token()).has_any(ADMIN_READ, ADMIN_AUDIT) is True


def test_a_verified_token_is_remembered_for_a_minute() -> None:
    clock = Clock()
    verify, keys = verifier(clock)
    good = token()

    async def scenario() -> None:
        await verify.verify(good)
        clock.now += CACHE_SECONDS - 1
        await verify.verify(good)
        assert keys.looks == 1
        clock.now += 2
        await verify.verify(good)
        assert keys.looks == 2

    asyncio.run(scenario())


def test_it_is_never_remembered_beyond_its_end() -> None:
    clock = Clock()
    verify, keys = verifier(clock, auth_leeway_seconds=0)
    short = token(exp=int(clock.now) + 20)

    async def scenario() -> None:
        await verify.verify(short)
        clock.now += 21
        await verify.verify(short)  # PyJWT reads the real clock: only the memory is asked here
        assert keys.looks == 2

    asyncio.run(scenario())


def test_the_memory_is_bounded_and_holds_no_token() -> None:
    verify, _ = verifier()
    for number in range(CACHE_TOKENS):
        verify._cached[str(number).encode()] = (0.0, Principal(actor_id="a", roles=()))
    good = token()
    asyncio.run(verify.verify(good))
    assert len(verify._cached) == CACHE_TOKENS
    assert b"0" not in verify._cached
    assert good.encode() not in verify._cached


def test_refused_tokens_are_not_remembered() -> None:
    verify, _ = verifier()

    async def scenario() -> None:
        for _ in range(3):
            with pytest.raises(UnauthenticatedError):
                await verify.verify("garbage")

    asyncio.run(scenario())
    assert not verify._cached


@pytest.mark.parametrize(
    ("header", "told", "challenge"),
    [
        ({}, "Authorization header missing", None),
        ({"authorization": " "}, "Authorization header missing", None),
        ({"authorization": "Basic abc"}, "Authorization header must be Bearer token", "invalid_request"),
        ({"authorization": "Bearer"}, "Authorization header must be Bearer token", "invalid_request"),
        ({"authorization": "Bearer  "}, "Authorization header must be Bearer token", "invalid_request"),
        ({"authorization": "Bearer x y"}, "Invalid token", "invalid_token"),
        (
            {"x-actor-id": "root", "x-actor-roles": "ADMIN_AUDIT"},
            "Authorization header missing",
            None,
        ),
    ],
)
def test_only_a_bearer_token_counts(header: dict[str, str], told: str, challenge: str | None) -> None:
    with pytest.raises(UnauthenticatedError, match=f"^{told}$") as caught:
        asyncio.run(BearerAuthenticator(verifier()[0]).authenticate(header))
    assert caught.value.challenge == challenge


def test_the_scheme_is_read_in_any_case() -> None:
    principal = asyncio.run(BearerAuthenticator(verifier()[0]).authenticate({"authorization": f"bearer {token()}"}))
    assert principal.actor_id == "0f-admin"


def test_an_actor_header_beside_a_token_is_ignored() -> None:
    header = {"authorization": f"Bearer {token(oid=None)}", "x-actor-id": "root"}
    assert asyncio.run(BearerAuthenticator(verifier()[0]).authenticate(header)).actor_id == "s-admin"


def test_without_authentication_a_caller_names_itself() -> None:
    principal = asyncio.run(NoAuthenticator().authenticate({"x-actor-id": " dev ", "x-actor-roles": "A, B,"}))
    assert principal == Principal(actor_id="dev", roles=("A", "B"), unrestricted=True)
    assert asyncio.run(NoAuthenticator().authenticate({})).actor_id is None


# Keys


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


# Settings


def test_oidc_is_the_default_and_names_what_it_needs() -> None:
    with pytest.raises(ValueError, match="PLURA_AUTH_ISSUER, PLURA_AUTH_AUDIENCE, PLURA_AUTH_JWKS_URL"):
        AuthSettings()


def test_no_authentication_must_be_asked_for_and_is_refused_in_production() -> None:
    assert AuthSettings(auth_mode="disabled").auth_mode == "disabled"
    with pytest.raises(ValueError, match="refused"):
        AuthSettings(auth_mode="disabled", app_env="prod")


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256,HS512", "rs256"])
def test_only_asymmetric_algorithms_can_be_allowed(algorithm: str) -> None:
    with pytest.raises(ValueError, match="PLURA_AUTH_ALGORITHM"):
        settings(auth_algorithm=algorithm)


@pytest.mark.parametrize(
    ("url", "app_env", "accepted"),
    [
        ("https://login.example.test/keys", "prod", True),
        ("http://127.0.0.1:9/keys", "prod", True),
        ("http://localhost:9/keys", "prod", True),
        ("http://login.example.test/keys", "prod", False),
        ("http://login.example.test/keys", "dev", False),
        ("http://login:8080/keys", "local", True),
        ("file:///etc/passwd", "local", False),
        ("https:///keys", "local", False),
    ],
)
def test_keys_come_from_an_address_nobody_else_can_answer_for(url: str, app_env: str, accepted: bool) -> None:
    if accepted:
        assert settings(auth_jwks_url=url, app_env=app_env).auth_jwks_url == url
    else:
        with pytest.raises(ValueError, match="https"):
            settings(auth_jwks_url=url, app_env=app_env)


def test_settings_are_read_from_both_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH_ISSUER", ISSUER)
    monkeypatch.setenv("PLURA_AUTH_AUDIENCE", AUDIENCE)
    monkeypatch.setenv("AUTH_JWKS_URL", "https://login.example.test/keys")
    monkeypatch.setenv("AUTH_ROLES_CLAIM", "groups, roles")
    read = AuthSettings()
    assert (read.auth_issuer, read.auth_audience, read.auth_roles_claim) == (ISSUER, AUDIENCE, ("groups", "roles"))
