"""What well-meaning clients get wrong: errors say what to write, and nothing is guessed."""

from __future__ import annotations

import calendar
import json
import socket
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
import hypothesis
import pytest
from hypothesis import strategies as st

from dev.servers.identity import Provider, token
from plura.kit.http import server
from plura.kit.http.errors import InvalidRequestError
from plura.kit.http.parameters import _instant
from plura.tx.api.console.endpoints import _kst
from tests.admin_api import EPOCH, AdminApi, auth_settings, ledger, running
from tests.api.tx.test_outages import command
from tests.console import sign_in
from tests.postgres import TestDatabase

# Instants


def error_of(api: AdminApi, query: str) -> dict[str, Any]:
    answered = api.get(f"/admin/wallets/w-1/tx?{query}")
    assert answered.status_code == 422, query
    error: dict[str, Any] = answered.json()["errors"][0]
    return error


@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize(
    "given",
    ["2026-02-05T12:00:00+09:00", "2026-02-05T12:00:00+0900", "2026-02-05T12:00:00.5+09:00", "2026-02-05 12:00+00:00"],
)
def test_a_plus_that_became_a_blank_is_explained(api: AdminApi, name: str, given: str) -> None:
    error = error_of(api, f"{name}={given}")
    assert error["loc"] == ["query", name]
    assert "%2B" in error["msg"]
    assert api.get(f"/admin/wallets/w-1/tx?{name}={quote(given, safe='')}").status_code == 200


@pytest.mark.parametrize("given", ["2026-02-05", "2026-02-05 12:00", "2026-02-05T12:00:00", "nope", "a b", "12:00 pm"])
def test_the_hint_is_for_a_lost_plus_only(api: AdminApi, given: str) -> None:
    assert "%2B" not in error_of(api, f"from={quote(given)}")["msg"]


@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize(
    "given",
    [
        *("20260201", "20261231", "2026", "202602", "260201", "202602011200", "20260201120000"),
        *("0", "-1", "1", "86400", "999999999", "10000000000", "1770260400000", "1770260400000000"),
        *("1e9", "1.7702604e9", "+1770260400", "1_770_260_400", " 1770260400", "1770260400.", ".5", "0x6983A1B0"),
        *("١٧٧٠٢٦٠٤٠٠", "１７７０２６０４００", "NaN", "Infinity", "-Infinity", "1770260400,5", "01770260400"),
    ],
)
def test_a_number_that_is_not_seconds_of_our_time_is_refused(api: AdminApi, name: str, given: str) -> None:
    assert error_of(api, f"{name}={quote(given)}")["loc"] == ["query", name]


def test_a_date_as_a_number_is_explained(api: AdminApi) -> None:
    assert "2026-02-01T00:00:00Z" in error_of(api, "from=20260201")["msg"]


def test_seconds_are_still_read(api: AdminApi) -> None:
    ledger(api.database, "t-1")
    seconds = int(EPOCH.timestamp())
    for given, count in ((f"{seconds}", 1), (f"{seconds}.000001", 0), (f"{seconds + 1}", 0), (f"{seconds - 1}.5", 1)):
        assert api.get(f"/admin/wallets/w-1/tx?from={given}").json()["count"] == count


@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize(
    "given",
    [
        *("2026-02-05T03:00:00.1234567Z", "2026-02-05T03:00:00.000000001Z", "2026-02-05T03:00:00,1234567Z"),
        *("2026-02-05T03:00:00.123456789+09:00", "1770260400.0000001", "1770260400.123456789"),
    ],
)
def test_an_instant_finer_than_a_microsecond_is_refused_and_never_cut(api: AdminApi, name: str, given: str) -> None:
    error_of(api, f"{name}={quote(given)}")
    for exact in ("2026-02-05T03:00:00.123456Z", "2026-02-05T03:00:00.1234560Z", "1770260400.123456000"):
        assert api.get(f"/admin/wallets/w-1/tx?{name}={exact}").status_code == 200


@pytest.mark.parametrize("given", ["2026-02-05T12:00:00.1234567", "2026-02-05T12:00:00.123456001Z"])
def test_the_console_cuts_no_instant_either(given: str) -> None:
    with pytest.raises(InvalidRequestError):
        _kst(given, "start")
    assert _kst(given[:26], "start") is not None


@pytest.mark.parametrize("given", ["1770260400.000001", "1770260400.999999", "9999999999.000001", "9999999999.999999"])
def test_seconds_are_exact_to_the_microsecond(given: str) -> None:
    read = _instant(given)
    assert isinstance(read, datetime)
    assert f"{calendar.timegm(read.utctimetuple())}.{read.microsecond:06}" == given


LIMITED = ("/admin/wallets/w-1/tx", "/admin/payment-orders/o-1", "/admin/audit")


@pytest.mark.parametrize("path", LIMITED)
@pytest.mark.parametrize(
    "given",
    ["1_0", "+3", "3.0", "3.", "007", "00", "-0", "3e0", "0x3", " 3", "3 ", "3\n", "３", "٣", "", "true", "null"],
)
def test_a_limit_is_a_number_of_plain_digits(api: AdminApi, path: str, given: str) -> None:
    bearer = token(roles=["ADMIN_AUDIT"])
    answered = api.get(f"{path}?limit={quote(given)}", bearer=bearer)
    assert answered.status_code == 422
    assert answered.json()["errors"][0]["type"] == "int_parsing"
    assert api.audit()[-1]["result"] == "INVALID"
    assert api.get(f"{path}?limit=30", bearer=bearer).status_code in (200, 404)


@hypothesis.settings(deadline=None)
@hypothesis.given(st.integers(1_000_000_000, 9_999_999_999))
def test_seconds_with_ten_digits_are_what_they_say(number: int) -> None:
    assert _instant(str(number)) == datetime.fromtimestamp(number, UTC)


@hypothesis.settings(deadline=None)
@hypothesis.given(st.floats() | st.integers())
def test_any_other_number_is_refused(number: float) -> None:
    if "e" not in str(number) and 1_000_000_000 <= number <= 9_999_999_999:
        return
    with pytest.raises(ValueError, match="seconds since 1970"):
        _instant(str(number))


def test_the_console_explains_a_lost_plus_too(bo: TestDatabase, identity: Provider) -> None:
    with running(bo, auth_settings(identity), signed_in_by=identity) as api:
        sign_in(api)
        page = api.client.get("/console/wallets/w-1?start=2026-02-05T12:00:00+09:00")
        assert page.status_code == 422
        assert "%2B" in page.text
        assert "%2B" not in api.client.get("/console/wallets/w-1?start=soon").text


# Methods


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_health_answers_head_like_get_without_a_body(api: AdminApi, path: str) -> None:
    got, head = api.client.get(path), api.client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    if path != "/metrics":  # they have changed since
        assert head.headers["content-length"] == got.headers["content-length"]
    assert api.client.post(path).status_code == 405


def test_head_of_a_process_that_is_not_ready_has_its_status(bo: TestDatabase, identity: Provider) -> None:
    bo.sql("revoke insert on bo.admin_audit_logs from bo_api")
    with running(bo, auth_settings(identity)) as api:
        assert api.client.head("/readyz").status_code == 503


# Heads that are too long, however they arrive


@pytest.mark.parametrize("bytes_sent", [70_000, 100_000, 200_000, 400_000])
@pytest.mark.parametrize("part", ["address", "one header", "many headers", "cookie"])
def test_a_head_that_is_too_long_is_refused_before_it_is_read(api: AdminApi, bytes_sent: int, part: str) -> None:
    filling = "a" * bytes_sent
    head = f"GET /console/tx/{filling if part == 'address' else 't'} HTTP/1.1\r\nHost: x\r\n"
    if part == "one header":
        head += f"X-More: {filling}\r\n"
    elif part == "cookie":
        head += f"Cookie: {filling}\r\n"
    elif part == "many headers":
        head += "".join(f"X-{number}: {'a' * 90}\r\n" for number in range(bytes_sent // 90))
    host, port = api.url.removeprefix("http://").split(":")
    answer = b""
    with socket.create_connection((host, int(port)), timeout=15) as line:
        try:
            line.sendall(head.encode() + b"Connection: close\r\n\r\n")
            while chunk := line.recv(65_536):
                answer += chunk
        except OSError:
            pass  # the server closed while we were writing
    assert not answer or answer.startswith(b"HTTP/1.1 431 ")
    assert api.audit() == []
    assert api.get("/healthz").status_code == 200


def test_a_head_up_to_the_limit_is_read(api: AdminApi) -> None:
    answered = api.client.get("/admin/tx/" + "a" * (server.HEAD_BYTES - 2000), headers={"Connection": "close"})
    assert answered.status_code == 401
    assert api.audit()[-1]["status_code"] == 401


# Garbage and the log


def test_garbage_without_a_token_does_not_fill_the_log(bo: TestDatabase, identity: Provider) -> None:
    floods = (
        b"nonsense\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"GET /admin/tx/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a.b.c\r\nConnection: close\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET /" + b"a" * 70_000,
    )
    with command(bo, identity) as (process, url):
        host, port = url.removeprefix("http://").split(":")
        for raw in floods:
            for _ in range(300):
                with socket.create_connection((host, int(port)), timeout=15) as line:
                    try:
                        line.sendall(raw)
                        line.recv(1024)
                    except OSError:
                        pass
        assert httpx.get(f"{url}/healthz").status_code == 200
        process.terminate()
        _, logged = process.communicate(timeout=20)
    lines = [json.loads(text) for text in logged.splitlines()]
    assert len(lines) < 300
    assert sum(line["left_out"]["lines"] for line in lines if "left_out" in line) > 300
    assert token() not in logged
