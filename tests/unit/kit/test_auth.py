"""Which tokens are accepted, and how callers are identified by them."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.servers.identity import claims, ec_key, token
from plura.kit.auth.authenticators import BearerAuthenticator, NoAuthenticator
from plura.kit.auth.errors import UnauthenticatedError
from plura.kit.auth.principal import ADMIN_AUDIT, ADMIN_READ, Principal
from plura.kit.auth.tokens import CACHE_SECONDS, CACHE_TOKENS
from tests.unit.kit.verification import (
    BAD,
    PUBLIC_PEM,
    Clock,
    refused,
    verified,
    verifier,
)


def test_a_good_token_gives_actor_roles_and_expiry() -> None:
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
    ("header", "detail", "challenge"),
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
def test_only_a_bearer_token_counts(header: dict[str, str], detail: str, challenge: str | None) -> None:
    with pytest.raises(UnauthenticatedError, match=f"^{detail}$") as caught:
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
