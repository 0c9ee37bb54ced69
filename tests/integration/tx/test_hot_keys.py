"""A page costs what a page costs: an id with 150,000 rows is read like one with ten, with statistics or without.

Cost is the number of blocks that the statement touches. Times would depend on the machine.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from dev.servers.identity import provider, token
from plura.kit.embedded_postgres import EmbeddedPostgres
from plura.kit.queries import read_queries
from plura.tx.api.app import _PLANNER
from plura.tx.db import API_ROLE
from tests.admin_api import auth_settings, running
from tests.commands import Plura
from tests.postgres import TestDatabase, temporary_database

ROWS = 150_000
BLOCKS_A_ROW = 20
"""An entry, its order, its pair and the two candidates of the pair, by an index each."""
_QUERIES = read_queries("plura.tx.db", "lookups.sql")
_AUDITED: dict[str, Any] = {
    "actor_id": "0f-admin",
    "actor_roles": "ADMIN_READ",
    "action": "A",
    "resource_type": "T",
    "request_method": "GET",
    "request_path": "/",
    "request_query": None,
    "ip": None,
    "user_agent": None,
    "correlation_id": None,
    "elapsed_ms": 0,
    "session": None,
    "from": "-infinity",
    "to": "infinity",
    "limit": 100,
}
SHAPES = {
    "one side, no pair": ("'RECEIVE'", "'PAYMENT_ORDER'", "n * interval '1 second'"),
    "no side": ("'CHARGE'", "null", "n * interval '1 second'"),
    "sides of something else": ("'PAYMENT'", "'OTHER'", "n * interval '1 second'"),
    "one instant": ("'RECEIVE'", "''", "interval '0'"),
}


@dataclass(kw_only=True)
class Filled:
    """A database in which one order and one wallet have many entries, and one of few."""

    database: TestDatabase
    shape: str

    def bounds(self) -> Mapping[str, tuple[str, str]]:
        """Where pages begin: first, in the middle, the last one."""
        if self.shape == "one instant":
            return {"first": ("infinity", ""), "middle": ("2026-02-01Z", "t-5"), "last": ("2026-02-01Z", "t-99995")}
        return {
            "first": ("infinity", ""),
            "middle": ("2026-02-01 12:00:00Z", "t-43200"),
            "last": ("2026-02-01 00:00:03Z", "t-3"),
        }


@pytest.fixture(scope="module", params=SHAPES)
def filled(request: pytest.FixtureRequest, postgres: EmbeddedPostgres) -> Iterator[Filled]:
    kind, related, after = SHAPES[request.param]
    with temporary_database(postgres, template="migrated") as database:
        for wallet, order, rows in (("w-hot", "po-hot", ROWS), ("w-few", "po-few", 10)):
            database.sql(
                "insert into bo.ledger_entries (tx_id, wallet_id, entry_type, amount, related_id, related_type,"
                f" event_time, created_at, row_digest) select 't-' || n, '{wallet}', {kind}, 1, '{order}', {related},"
                f" timestamptz '2026-02-01Z' + {after}, now(), decode(md5(n::text), 'hex')"
                f" from generate_series({1 if rows == ROWS else ROWS + 1}, {ROWS if rows == ROWS else ROWS + 10}) as n"
            )
            database.sql(
                "insert into bo.payment_orders (order_id, amount, status, created_at, row_digest)"
                " values (%s, 1, 'SETTLED', now(), decode(md5(''), 'hex'))",
                [order],
            )
        yield Filled(database=database, shape=request.param)


async def blocks(
    connection: AsyncConnection[TupleRow], statement: str, parameters: Mapping[str, Any], mode: str
) -> tuple[int, int]:
    """Rows that a statement returns and blocks that it touches, planned in the way that ``mode`` names."""
    names: list[str] = []

    def numbered(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    text = re.sub(r"%\((\w+)\)s", numbered, _QUERIES[statement])
    values = ", ".join(_literal(parameters[name]) for name in names)
    types = ", ".join("integer" if isinstance(parameters[name], int) else "text" for name in names)
    for command in ("deallocate all", f"set plan_cache_mode = {mode}", f"prepare one ({types}) as {text}"):
        await connection.execute(command.encode())
    explained = await connection.execute(f"explain (analyze, buffers, format json) execute one ({values})".encode())
    row = await explained.fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    return plan["Actual Rows"], plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def _literal(value: object) -> str:
    return "null" if value is None else str(value) if isinstance(value, int) else f"'{value}'"


def measured(database: TestDatabase, statements: list[tuple[str, Mapping[str, Any]]]) -> list[tuple[str, int, int]]:
    """What statements cost in a session of the API, with the plan for these values and with one for all."""

    async def run() -> list[tuple[str, int, int]]:
        found = []
        async with database.client().async_pool("test", API_ROLE, _PLANNER) as pool, pool.connection() as connection:
            connection.prepare_threshold = None
            for statement, parameters in statements:
                for mode in ("force_generic_plan", "force_custom_plan"):
                    rows, touched = await blocks(connection, statement, {**_AUDITED, **parameters}, mode)
                    found.append((f"{statement} {mode} {parameters}", rows, touched))
        return found

    return asyncio.run(run())


def pages(filled: Filled) -> list[tuple[str, Mapping[str, Any]]]:
    bounds = [{"before": before, "after_id": after_id} for before, after_id in filled.bounds().values()]
    return [
        *(("order", {"id": "po-hot", **bound}) for bound in bounds),
        *(("wallet", {"id": "w-hot", **bound}) for bound in bounds),
        *(("wallet", {"id": "w-hot", **bound, "to": "2026-02-01 12:00:00Z"}) for bound in bounds),
        *(("search", {"id": searched}) for searched in ("w-hot", "po-hot", "t-77", "none")),
        ("tx", {"id": "t-77"}),
        ("order", {"id": "po-few", "before": "infinity", "after_id": ""}),
        ("wallet", {"id": "w-few", "before": "infinity", "after_id": ""}),
    ]


@pytest.mark.parametrize("statistics", ["none", "fresh"])
def test_a_page_touches_as_many_blocks_as_it_has_rows(filled: Filled, statistics: str) -> None:
    if statistics == "fresh":
        filled.database.sql("vacuum analyze bo.ledger_entries, bo.payment_orders")
    else:
        filled.database.sql("delete from pg_statistic where starelid = 'bo.ledger_entries'::regclass")
    for what, rows, touched in measured(filled.database, pages(filled)):
        assert touched <= 60 + BLOCKS_A_ROW * rows, f"{what}: {rows} rows, {touched} blocks"


def test_the_api_answers_every_page_of_a_hot_key(filled: Filled) -> None:
    with provider() as identity, running(filled.database, auth_settings(identity)) as api:
        started = time.monotonic()
        for path in ("/admin/payment-orders/po-hot", "/admin/wallets/w-hot/tx"):
            cursor: str | None = None
            seen: list[str] = []
            for _ in range(12):  # five plans for the values at hand, then one for all
                answered = api.get(path, {"limit": 100, **({"cursor": cursor} if cursor else {})})
                assert answered.status_code == 200
                body = answered.json()
                seen += [row["tx_id"] for row in body.get("entries", body.get("ledger_entries"))]
                cursor = body["next_cursor"]
            assert len(set(seen)) == 1200
        assert api.get("/admin/tx/t-77").status_code == 200
        assert {hit["resource_type"] for hit in api.get("/admin/search?q=w-hot").json()["results"]} == {"WALLET"}
        assert time.monotonic() - started < 20


def test_an_order_without_entries_has_none(filled: Filled) -> None:
    filled.database.sql(
        "insert into bo.payment_orders (order_id, amount, status, created_at, row_digest)"
        " values ('po-none', 1, 'SETTLED', now(), decode(md5(''), 'hex')) on conflict do nothing"
    )
    with provider() as identity, running(filled.database, auth_settings(identity)) as api:
        body = api.get("/admin/payment-orders/po-none").json()
        assert (body["pairing_status"], body["ledger_entries"], body["next_cursor"]) == ("UNKNOWN", [], None)
        assert api.get("/admin/payment-orders/po-hot").json()["pairing_status"] == "INCOMPLETE"


@pytest.mark.parametrize("actor", ["a-hot", "a-few", "a-none"])
def test_the_audit_of_an_actor_or_a_resource_is_read_in_pages(bo: TestDatabase, actor: str) -> None:
    bo.sql(
        "insert into bo.admin_audit_logs (actor_id, action, resource_type, resource_id, result, status_code,"
        " request_method, request_path, requested_at)"
        " select case when n % 50000 = 0 then 'a-few' else 'a-hot' end, 'A', 'TX',"
        " case when n % 50000 = 0 then 'a-few' else 'a-hot' end, 'FOUND', 200, 'GET', '/',"
        " timestamptz '2026-02-01Z' + n * interval '1 second' from generate_series(1, 150000) as n"
    )
    with provider() as identity, running(bo, auth_settings(identity)) as api:
        auditor = token(roles=["ADMIN_AUDIT"], oid="auditor")
        for name in ("actor_id", "resource_id"):
            for _ in range(8):
                found = api.get("/admin/audit", {name: actor, "limit": 50}, bearer=auditor)
                assert found.status_code == 200
    for statistics in ("none", "fresh"):
        if statistics == "fresh":
            bo.sql("vacuum analyze bo.admin_audit_logs")
        for filters in ({"actor_id": actor}, {"resource_id": actor}, {"actor_id": actor, "resource_id": actor}, {}):
            touched = audit_blocks(bo, filters)
            assert touched < 400, (statistics, filters, touched)


def audit_blocks(database: TestDatabase, filters: Mapping[str, str]) -> int:
    parameters = {"actor_id": None, "resource_id": None, **filters}
    bounds = {"from": "-infinity", "to": "infinity", "before": "infinity", "before_id": 2**62, "limit": 50}

    async def run() -> int:
        async with database.client().async_pool("test", API_ROLE, _PLANNER) as pool, pool.connection() as connection:
            await connection.execute("set role bo_audit")
            text = f"explain (analyze, buffers, format json) {_QUERIES['audit']}"
            explained = await connection.execute(text.encode(), parameters | bounds, prepare=False)
            row = await explained.fetchone()
            assert row is not None
            plan = row[0][0]["Plan"]
            return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])

    return asyncio.run(run())


def test_a_ledger_over_partitions_is_read_in_pages_too(
    filled: Filled, postgres: EmbeddedPostgres, tmp_path: Any
) -> None:
    with temporary_database(postgres, template=filled.database.name) as spread:
        outcome = Plura(work=tmp_path, settings={"PLURA_DATABASE_URL": spread.url})(
            "tx", "migrate", "--ledger-partitions", "16"
        )
        assert outcome.code == 0
        for what, rows, touched in measured(spread, pages(filled)):
            # each index is one of 16
            assert touched <= 1000 + 16 * BLOCKS_A_ROW * rows, f"{what}: {rows} rows, {touched} blocks"
