"""Denied requests in the audit: a row each, and counts for floods without a token."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dev.servers.identity import Provider
from plura.kit.http.audit_context import AuditContext, Subject
from plura.kit.http.denied_requests import MOST_ADDRESSES, DeniedRequestAudit, network_of
from plura.kit.http.errors import UnavailableError
from plura.kit.http.settings import ApiSettings
from tests.admin_api import auth_settings, running
from tests.postgres import TestDatabase


def test_a_flood_without_a_token_is_a_counted_row(bo: TestDatabase, identity: Provider) -> None:
    with running(bo, auth_settings(identity), settings=ApiSettings(audit_refusals_per_second=3)) as api:
        for _ in range(200):
            assert api.get("/admin/tx/t-1", bearer="bad").status_code == 401
        assert api.get("/admin/tx/t-1").status_code == 404
    rows = [row for row in api.audit() if row["status_code"] == 401]
    assert sum(row["occurrences"] for row in rows) == 200
    assert len(rows) < 100
    merged = [row for row in rows if row["occurrences"] > 1]
    assert merged
    assert all((row["ip"], row["resource_id"], row["actor_id"]) == ("127.0.0.1", None, None) for row in merged)


class Rows:
    """Takes audit rows, or refuses them."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.down = False

    async def __call__(self, row: dict[str, Any]) -> None:
        if self.down:
            raise UnavailableError
        self.rows.append(row)

    def counted(self) -> list[tuple[str | None, int]]:
        return [(row["ip"], row["occurrences"]) for row in self.rows]


def stranger(ip: str) -> AuditContext:
    scope: dict[str, Any] = {
        "method": "GET",
        "path": "/admin/tx/t",
        "query_string": b"",
        "headers": [],
        "client": (ip, 1),
    }
    context = AuditContext(scope, trusted=(), masked=frozenset())
    context.subject = Subject(action="ADMIN_TX_LOOKUP", resource_type="TX")
    return context


def refusals(rows: Rows) -> tuple[DeniedRequestAudit, list[float]]:
    now = [0.0]
    return DeniedRequestAudit(rows, per_second=2, clock=lambda: now[0]), now


def test_merging_counts_each_address_apart_and_second_by_second() -> None:
    rows = Rows()
    kept, now = refusals(rows)

    async def scenario() -> None:
        for ip in ("a", "a", "a", "a", "b"):
            await kept.record(stranger(ip), status_code=401, result="UNAUTHENTICATED")
        now[0] = 1.0
        await kept.record(stranger("a"), status_code=401, result="UNAUTHENTICATED")
        await kept.flush()

    asyncio.run(scenario())
    assert sorted(rows.counted(), key=str) == [("a", 1), ("a", 1), ("a", 1), ("a", 2), ("b", 1)]


def test_counts_outlive_an_outage_and_are_joined() -> None:
    rows = Rows()
    kept, now = refusals(rows)

    async def scenario() -> None:
        for second in range(5):
            now[0] = float(second)
            rows.down = False
            for number in range(5):
                rows.down = number >= 2
                await kept.record(stranger("a"), status_code=401, result="UNAUTHENTICATED")
            await kept.flush()
        assert sum(count for _, count in rows.counted()) == 10
        rows.down = False
        await kept.flush()

    asyncio.run(scenario())
    assert rows.counted()[-1] == ("a", 15)


def test_counts_that_are_being_written_when_the_process_ends_are_written() -> None:
    rows = Rows()
    at_work = asyncio.Event()
    is_ending = False

    async def record(row: dict[str, Any]) -> None:
        if row["occurrences"] > 1 and not is_ending:
            at_work.set()
            await asyncio.Event().wait()  # a database that takes its time
        await rows(row)

    now = [0.0]
    kept = DeniedRequestAudit(record, per_second=1, clock=lambda: now[0])

    async def scenario() -> None:
        nonlocal is_ending
        for ip in ("a", "b", "c"):
            for _ in range(4):
                await kept.record(stranger(ip), status_code=401, result="UNAUTHENTICATED")
        await kept.start()
        await at_work.wait()
        is_ending = True
        await kept.close()

    asyncio.run(scenario())
    assert sorted(rows.counted()) == [("a", 1), ("a", 3), ("b", 1), ("b", 3), ("c", 1), ("c", 3)]


def test_a_refusal_that_cannot_be_written_is_logged() -> None:
    rows = Rows()
    rows.down = True
    kept, _ = refusals(rows)
    with pytest.raises(UnavailableError):
        asyncio.run(kept.record(stranger("a"), status_code=401, result="UNAUTHENTICATED"))


def test_a_flood_from_everywhere_is_bounded() -> None:
    rows = Rows()
    kept, _ = refusals(rows)

    async def scenario() -> None:
        for number in range(MOST_ADDRESSES + 500):
            await kept.record(
                stranger(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"), status_code=401, result="U"
            )
        await kept.flush()

    asyncio.run(scenario())
    assert sum(count for _, count in rows.counted()) == MOST_ADDRESSES + 500
    assert len(rows.rows) == MOST_ADDRESSES + 3
    assert rows.counted()[-1] == (None, 498)


def test_an_identified_caller_is_never_merged() -> None:
    rows = Rows()
    kept, _ = refusals(rows)

    async def scenario() -> None:
        from plura.kit.auth.principal import Principal

        for _ in range(10):
            context = stranger("a")
            context.principal = Principal(actor_id="x", roles=())
            await kept.record(context, status_code=403, result="FORBIDDEN")

    asyncio.run(scenario())
    assert rows.counted() == [("a", 1)] * 10


def test_an_ipv6_site_counts_as_one_address() -> None:
    assert network_of("2001:db8:1:2::7") == network_of("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"
    assert network_of("192.0.2.7") == "192.0.2.7"
    assert network_of(None) is None
