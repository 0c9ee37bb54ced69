"""What a request carries is read in time linear in its length: every field, every hostile filling, no token needed.

Times are processor time of this thread at lengths that double. Their ratio is looked at, never the seconds: reading in
linear time takes 8 times as long for 8 times the length, in quadratic time 64 times as long.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from pydantic import SecretStr

from dev.servers.identity import AUDIENCE, ISSUER, jwk, jwks, rsa_key, token
from plura.kit.auth.authenticators import BearerAuthenticator
from plura.kit.auth.keys import FixedKeys
from plura.kit.auth.sealing import Sealer
from plura.kit.auth.settings import AuthSettings
from plura.kit.auth.sign_in import SignIn, SignInSettings
from plura.kit.auth.tokens import TokenVerifier
from plura.kit.database import Database, DatabaseSettings
from plura.kit.http import cursors
from plura.kit.http.audit_context import client_address, masked_query, storable
from plura.kit.http.denied_requests import DeniedRequestAudit
from plura.kit.http.errors import InvalidRequestError
from plura.kit.http.parameters import _instant
from plura.kit.http.settings import ApiSettings
from plura.kit.observability import correlation
from plura.tx.api.app import create_app
from plura.tx.api.audit.service import AuditService
from plura.tx.api.console.ended_sessions import EndedSessions
from plura.tx.api.console.endpoints import CALLBACK
from plura.tx.api.console.session import own_page, read_cookie
from plura.tx.api.order.service import OrderService
from plura.tx.api.search.service import SearchService
from plura.tx.api.services import Services
from plura.tx.api.tx.service import TxService
from plura.tx.api.wallet.service import WalletService

LENGTHS = (2_000, 4_000, 8_000, 16_000)
WORST = 24.0
"""Times as long for 8 times the length: three times what is linear, less than half of what is quadratic."""
ROUNDS = 6

Work = Callable[[str], Awaitable[object]]


def growth(work: Work, filling: Callable[[int], str]) -> float:
    """How many times as long the longest input takes as the shortest; the best of several rounds of each length."""

    async def measure() -> float:
        best = [float("inf")] * len(LENGTHS)
        inputs = [filling(length) for length in LENGTHS]
        ratio = float("inf")
        for _ in range(ROUNDS):
            for place, text in enumerate(inputs):
                started = time.thread_time()
                await work(text)
                best[place] = min(best[place], time.thread_time() - started)
            ratio = best[-1] / best[0]
            if ratio < WORST:
                break
        return ratio

    return asyncio.run(measure())


def filled(pattern: str, before: str = "", after: str = "") -> Callable[[int], str]:
    return lambda length: before + (pattern * (length // len(pattern) + 1))[:length] + after


def bearer(before: str, pattern: str) -> Callable[[int], str]:
    """A token whose head is hostile JSON."""

    def made(length: int) -> str:
        head = base64.urlsafe_b64encode((before + pattern * (length // len(pattern))).encode()).decode()
        return f"Bearer {head}.e30.AAAA"

    return made


# The application as a server calls it


class NoRows:
    """Statements that find nothing."""

    async def rows(self, *_: Any) -> list[Any]:
        return []

    async def read_as(self, *_: Any) -> list[Any]:
        return []


@pytest.fixture(scope="module")
def app() -> Any:
    """The whole edge, with nothing behind it."""
    auth = AuthSettings(auth_issuer=ISSUER, auth_audience=AUDIENCE, auth_jwks_url="https://login.example.test/keys")
    sign_in = SignInSettings(
        console_client_id="console",
        console_authorize_url="https://login.example.test/authorize",
        console_token_url="https://login.example.test/token",  # noqa: S106  # an address
        console_url="http://127.0.0.1",
        console_session_key=SecretStr("k" * 32),
    )
    settings = ApiSettings(trusted_proxies="127.0.0.0/8, 10.0.0.0/8, fd00::/8")  # type: ignore[arg-type]
    nowhere = Database(DatabaseSettings(database_url=SecretStr("postgresql://nowhere")))
    made = create_app(settings, auth, nowhere, sign_in)
    verifier = TokenVerifier(auth, FixedKeys(jwks(jwk(rsa_key("k1"), "k1")), auth.auth_algorithm))
    rows: Any = NoRows()

    async def record(row: dict[str, Any]) -> None:
        del row

    made.state.services = Services(
        authenticator=BearerAuthenticator(verifier),
        sign_in=SignIn(sign_in, verifier, callback=CALLBACK),
        sessions=EndedSessions(rows),
        denied_requests=DeniedRequestAudit(record, per_second=5),
        tx=TxService(rows),
        order=OrderService(rows),
        wallet=WalletService(rows),
        search=SearchService(rows),
        audit=AuditService(rows),
        health=None,  # type: ignore[arg-type]  # not asked
    )
    return made


async def ask(
    app: Any,
    path: str,
    *,
    query: str = "",
    headers: Sequence[tuple[str, str]] = (),
    method: str = "GET",
    body: str = "",
) -> int:
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body.encode(), "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": raw,
        "client": ("127.0.0.1", 4711),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    await app(scope, receive, send)
    assert statuses[0] < 500
    return statuses[0]


PATHS = ("/admin/tx/t", "/admin/wallets/w/tx", "/console", "/console/tx/t", "/console/login", "/console/callback")
SEPARATORS = ("=", '"', "\\", "\\012", "\\\\", ";", "; ", ",", ", ", "a=b; ", "=;", ' "', "'", " ", "\t", "-", ".", ":")
FIELDS: dict[str, Sequence[Callable[[int], str]]] = {
    "cookie": [
        *(filled(pattern) for pattern in SEPARATORS),
        *(filled(pattern, "plura_session=") for pattern in SEPARATORS),
        *(filled(pattern, 'plura_login="', '"') for pattern in SEPARATORS),
        filled("=", after='"'),
        filled("plura_session=gAAAAA;"),
    ],
    "authorization": [
        *(filled(pattern) for pattern in SEPARATORS),
        *(filled(pattern, "Bearer ") for pattern in (*SEPARATORS, "a", "a.")),
        *(
            bearer(before, pattern)
            for before, pattern in (
                ("", "["),
                ('{"alg":"RS256","kid":"', "a"),
                ('{"alg":"RS256","kid":', "9"),
                ('{"alg":"RS256","kid":0.', "0"),
                ('{"', '\\"'),
                ("{", '"a":1,'),
                ("", " "),
            )
        ),
    ],
    "x-forwarded-for": [
        *(filled(pattern) for pattern in SEPARATORS),
        *(filled(pattern) for pattern in ("10.0.0.1,", "1", "1.", "[", "]:", "fd00::1,", "::", "%", "0:", "fe80::1%")),
    ],
    "accept-language": [
        *(filled(pattern) for pattern in SEPARATORS),
        *(filled(pattern) for pattern in ("ko-KR,", "ko;q=0.", "en;q=1,", "a-", "*,", ";q=")),
    ],
    "traceparent": [filled(pattern) for pattern in ("0", "-", "00-", "f0-")],
    "tracestate": [filled(pattern) for pattern in ("a=1,", "=", ",")],
    "x-correlation-id": [filled(pattern) for pattern in ("a", " ", "\t", "a ", "-")],
    "user-agent": [filled(pattern) for pattern in ("a", "\x7f", "(", "é")],
    "content-type": [filled(pattern) for pattern in ("a", ";", "; a=", '; a="', "multipart/form-data; boundary=")],
    "accept": [filled(pattern) for pattern in ("text/html,", "*/*;q=0.", ";")],
    "host": [filled(pattern) for pattern in ("a", ":", "[", ".")],
    "referer": [filled(pattern) for pattern in ("http://", "?", "%")],
    "sec-fetch-site": [filled("cross-site, ")],
    "if-none-match": [filled('"a", ')],
}


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("path", PATHS)
def test_headers_are_read_in_linear_time(app: Any, name: str, path: str) -> None:
    for number, filling in enumerate(FIELDS[name]):
        found = growth(lambda text: ask(app, path, headers=[(name, text)]), filling)
        assert found < WORST, f"{name} {number}: {filling(40)!r}"


@pytest.mark.parametrize("name", ["cookie", "authorization", "x-forwarded-for", "a"])
def test_repeated_headers_are_read_in_linear_time(app: Any, name: str) -> None:
    def work(text: str) -> Awaitable[int]:
        return ask(app, "/console/tx/t", headers=[(name, word) for word in text.split(" ")])

    for pattern in ("a=b ", "x" * 99 + " "):
        assert growth(work, filled(pattern)) < WORST, pattern


QUERIES = (
    *("?", "&", "=", "%", "+", "%41", "%3F", "a=1&", ";", "a[]=1&", "/", "%00", "%F0%9F%98%80"),
    *("q=a&", "limit=1&", "cursor=A&", "code=a&", "state=a&"),
)
FOLLOWING = ("?", "/", "?/", "%3F", "a", "-", "\\", ":", "@", "#", ".", "]", "%2F%3F", "(", "~")
ENDS = ("", "\\", "%20", "%EA%B0%80", "%0A", '"')
"""What a text ends with: a pattern is tried in all ways only where its end does not fit."""


@pytest.mark.parametrize("path", [*PATHS, "/admin/search", "/admin/audit", "/console/audit", "/nothing"])
def test_queries_are_read_in_linear_time(app: Any, path: str) -> None:
    known = ("", "q=", "cursor=", "from=", "limit=", "actor_id=", "code=", "state=", "start=")
    authorized = [("authorization", f"Bearer {token(roles=['ADMIN_AUDIT'])}")]
    for headers in ([], authorized):
        for before in known:
            for pattern in QUERIES:
                found = growth(
                    lambda text, headers=headers: ask(app, path, query=text, headers=headers),  # type: ignore[misc]
                    filled(pattern, before),
                )
                assert found < WORST, (before, pattern)


def test_the_page_after_a_sign_in_is_read_in_linear_time(app: Any) -> None:
    for before in ("following=/console/", "following=/console", "following=", "following=/console/?"):
        for pattern in FOLLOWING:
            for after in ENDS:
                found = growth(lambda text: ask(app, "/console/login", query=text), filled(pattern, before, after))
                assert found < WORST, (before, pattern, after)


@pytest.mark.parametrize("before", ["/admin/tx/", "/admin/wallets/", "/admin/payment-orders/", "/console/tx/", "/"])
def test_paths_are_read_in_linear_time(app: Any, before: str) -> None:
    for headers in ([], [("authorization", f"Bearer {token()}")]):
        for pattern in ("/", "/tx", "a", "%", "..", "//", "\n", "가", "/tx/", "tx/"):
            found = growth(
                lambda text, headers=headers: ask(app, text, headers=headers),  # type: ignore[misc]
                filled(pattern, before, "\n"),
            )
            assert found < WORST, pattern


def test_forms_are_read_in_linear_time(app: Any) -> None:
    for before in ("csrf=", ""):
        for pattern in ("&", "%", "csrf=&", "=", "+", "%41", ";", "a=1&"):
            found = growth(lambda text: ask(app, "/console/logout", method="POST", body=text), filled(pattern, before))
            assert found < WORST, (before, pattern)


# Each reader alone, beyond the limits that the edge sets


def quietly(read: Callable[[str], object]) -> Work:
    async def work(text: str) -> None:
        with contextlib.suppress(InvalidRequestError, ValueError):
            read(text)

    return work


TRUSTED = ApiSettings(trusted_proxies="10.0.0.0/8").trusted_proxies  # type: ignore[arg-type]
SEALER = Sealer(SecretStr("k" * 32), "session")
READERS: dict[str, Callable[[str], object]] = {
    "cookie": lambda text: read_cookie(text, "plura_session"),
    "page after": own_page,
    "page after, of ours": lambda text: own_page(f"/console/{text}"),
    "client address": lambda text: client_address(("10.0.0.1", 1), text, TRUSTED),
    "query of the audit": lambda text: masked_query(text.encode(), frozenset({"token"})),
    "text of the audit": storable,
    "correlation id": correlation.accepted,
    "cursor": lambda text: cursors.decode(text, "wallet"),
    "cursor with hostile content": lambda text: cursors.decode(
        base64.urlsafe_b64encode(b"123456789" + text.encode()).decode().rstrip("="), "wallet"
    ),
    "sealed cookie": lambda text: SEALER.open(text, seconds=60),
    "instant": _instant,
    "instant with digits": lambda text: _instant(f"2026-02-01T{text}"),
}


@pytest.mark.parametrize("name", READERS)
def test_each_reader_takes_linear_time(name: str) -> None:
    patterns = (
        "a",
        "=",
        '"',
        "\\",
        ";",
        "?",
        "/",
        "&",
        "%",
        " ",
        ",",
        ".",
        ":",
        "-",
        "+",
        "[",
        "0",
        "1e",
        "\x00",
        "가",
    )
    for pattern in patterns:
        for after in ("", " ", "\\", "\n", "가", '"', "x"):
            assert growth(quietly(READERS[name]), filled(pattern, after=after)) < WORST, (pattern, after)


def test_the_measurement_distinguishes_linear_from_quadratic() -> None:
    def quadratic(text: str) -> object:
        return sum(text.count("b") for _ in range(len(text) // 20))

    assert growth(quietly(json.dumps), filled('"')) < WORST
    assert growth(quietly(quadratic), filled("a")) > WORST
