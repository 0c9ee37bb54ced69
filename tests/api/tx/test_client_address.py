"""Client addresses and queries in the audit: trusted proxies and hidden secrets."""

from __future__ import annotations

import pytest

from dev.servers.identity import Provider, token
from plura.kit.http.audit_context import client_address, masked_query
from plura.kit.http.settings import ApiSettings
from tests.admin_api import auth_settings, running
from tests.postgres import TestDatabase

TRUSTED = ApiSettings(trusted_proxies="10.0.0.0/8, 192.0.2.1, fd00::/8").trusted_proxies  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.1", None, "198.51.100.1"),
        ("198.51.100.1", "203.0.113.9", "198.51.100.1"),  # nobody trusts the speaker
        ("10.1.1.1", "203.0.113.9", "203.0.113.9"),
        ("10.1.1.1", "1.2.3.4, 203.0.113.9", "203.0.113.9"),  # what the client wrote itself stands before
        ("10.1.1.1", "203.0.113.9, 192.0.2.1, 10.9.9.9", "203.0.113.9"),
        ("10.1.1.1", "203.0.113.9, nonsense, 10.9.9.9", "10.9.9.9"),
        ("10.1.1.1", "", "10.1.1.1"),
        ("10.1.1.1", "203.0.113.9:4711", "203.0.113.9"),
        ("fd00::1", "[2001:db8::7]:443", "2001:db8::7"),
        ("::ffff:10.1.1.1", "2001:db8::7", "2001:db8::7"),
        ("10.1.1.1", "10.2.2.2", "10.2.2.2"),
        ("unix", "203.0.113.9", "unix"),
        ("10.1.1.1", "203.0.113.9, " + "10.2.2.2, " * 600 + "10.3.3.3", "10.2.2.2"),  # only the end is read
        ("10.1.1.1", "9" * 5000 + ".113.9, 10.2.2.2", "10.2.2.2"),
        ("10.1.1.1", "2001:db8::7%" + "a" * 5000, "10.1.1.1"),
        ("10.1.1.1", "2001:db8::7%eth0", "2001:db8::7"),
        ("fd00::1%eth0", "203.0.113.9", "203.0.113.9"),
    ],
)
def test_only_trusted_proxies_may_name_the_client(peer: str, forwarded: str | None, client: str) -> None:
    assert client_address((peer, 1), forwarded, TRUSTED) == client


@pytest.mark.parametrize("blanks", range(10))
def test_a_part_of_an_address_is_no_address(blanks: int) -> None:
    forwarded = "203.0.113.9, " + "10.2.2.2, " * 600 + "10.3.3.3" + " " * blanks
    assert client_address(("10.1.1.1", 1), forwarded, TRUSTED) == "10.2.2.2"


def test_a_proxy_is_trusted_by_the_settings_only(bo: TestDatabase, identity: Provider) -> None:
    headers = [("X-Forwarded-For", "203.0.113.5"), ("X-Forwarded-For", "203.0.113.9")]
    for trusted, expected in (("127.0.0.0/8", "203.0.113.9"), ("", "127.0.0.1")):
        settings = ApiSettings(trusted_proxies=trusted)  # type: ignore[arg-type]
        with running(bo, auth_settings(identity), settings=settings) as api:
            api.client.get("/admin/tx/t", headers=[*headers, ("Authorization", f"Bearer {token()}")])
            assert api.audit()[-1]["ip"] == expected


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (b"", None),
        (b"token=a&b=1", "token=%2A%2A%2A&b=1"),
        (b"Access_Token=a", "Access_Token=%2A%2A%2A"),
        (b"%74oken=a", "token=%2A%2A%2A"),
        (b"a=%FF&b=", "a=%EF%BF%BD&b="),
        (b"novalue", "novalue="),
    ],
)
def test_secrets_in_queries_are_hidden(query: bytes, kept: str | None) -> None:
    assert masked_query(query, ApiSettings().masked_keys) == kept
