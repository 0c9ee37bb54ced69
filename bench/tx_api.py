"""``GET /admin/tx/{id}`` under load, beside the same statement without HTTP."""

from __future__ import annotations

import asyncio
import random
import re
import subprocess
import time
from collections.abc import Iterator
from statistics import median
from typing import Any, LiteralString

import psycopg

from bench.http_load import Loaded, load, percentile
from bench.measuring import busy_seconds
from bench.tx_events import tx_id
from bench.tx_stage import Api, Stage, running_api
from plura.kit.embedded_postgres import program
from plura.kit.queries import read_queries
from plura.tx.db import API_ROLE

CONNECTIONS = 8
SECONDS = 10
_WARM_SECONDS = 3
_STATEMENT = read_queries("plura.tx.db", "lookups.sql")["tx"]
_ID = "'tx-' || left(md5((:n)::bigint::text), 16)"
_AUDITED: dict[str, Any] = {
    "actor_id": "0f-admin",
    "actor_roles": "ADMIN_READ",
    "action": "ADMIN_TX_LOOKUP",
    "resource_type": "TX",
    "request_method": "GET",
    "request_path": "/admin/tx/tx-0123456789abcdef",
    "request_query": None,
    "ip": "127.0.0.1",
    "user_agent": "bench",
    "correlation_id": "5f0c1d0e-8a35-4b0e-9f2b-6f3f4be0a111",
    "elapsed_ms": 1,
    "session": None,
}


def measure_api(stage: Stage, entries: int, *, scale: float, repeats: int) -> dict[str, Any]:
    """Measure lookups of random entries; medians of the repeats stand."""
    database = stage.filled_database(entries)
    seconds = max(1.0, SECONDS * scale)
    loads: list[Loaded] = []
    cores: list[tuple[float, float, float]] = []
    with running_api(stage, database) as api:
        _load(api, entries, _WARM_SECONDS * scale)
        audited = stage.count(database, "admin_audit_logs")
        for _ in range(repeats):
            before = api.cpu_s(), stage.server_cpu_s(), busy_seconds()
            measured = _load(api, entries, seconds)
            loads.append(measured)
            spent = api.cpu_s() - before[0], stage.server_cpu_s() - before[1], busy_seconds() - before[2]
            cores.append((spent[0] / measured.wall_s, spent[1] / measured.wall_s, spent[2] / measured.wall_s))
        audited = stage.count(database, "admin_audit_logs") - audited
    if audited != sum(measured.requests for measured in loads):
        raise AssertionError(f"{audited} audit rows")
    statement_per_second, statement_p99_s = asyncio.run(_without_http(stage, database, entries, seconds))
    return {
        "entries": entries,
        "repeats": repeats,
        "connections": CONNECTIONS,
        "seconds": seconds,
        "per_second": median(measured.per_second for measured in loads),
        "p50_s": median(measured.percentile(0.5) for measured in loads),
        "p95_s": median(measured.percentile(0.95) for measured in loads),
        "p99_s": median(measured.percentile(0.99) for measured in loads),
        "max_s": max(max(measured.latencies) for measured in loads),
        "api_cores": median(api_cores for api_cores, _, _ in cores),
        "server_cores": median(server_cores for _, server_cores, _ in cores),
        "busy_cores": median(busy_cores for _, _, busy_cores in cores),
        "load_cores": median(measured.cpu_s / measured.wall_s for measured in loads),
        "psycopg_per_second": statement_per_second,
        "psycopg_p99_s": statement_p99_s,
        "pgbench_per_second": _pgbench(stage, database, entries, seconds),
        "database_gib": _size_gib(stage, database),
    }


def _load(api: Api, entries: int, seconds: float) -> Loaded:
    return load(api.port, api.headers, _paths(entries), connections=CONNECTIONS, seconds=seconds)


def _paths(entries: int) -> Iterator[tuple[str, bytes]]:
    dice = random.Random(7)  # noqa: S311  # which entries are asked for
    while True:
        wanted = tx_id(dice.randrange(entries))
        yield f"/admin/tx/{wanted}", f'"{wanted}"'.encode()


async def _without_http(stage: Stage, database: str, entries: int, seconds: float) -> tuple[float, float]:
    """Run the API's statement over as many connections of psycopg; return statements a second and their p99 in s."""
    latencies: list[float] = []
    dice = random.Random(7)  # noqa: S311  # which entries are asked for
    begun = time.perf_counter()

    async def ask() -> None:
        connection = await psycopg.AsyncConnection.connect(stage.server.url_of(database), autocommit=True)
        async with connection:
            await connection.execute(f"set role {API_ROLE}".encode())
            while (started := time.perf_counter()) - begun < seconds:
                wanted = {**_AUDITED, "id": tx_id(dice.randrange(entries))}
                cursor = await connection.execute(_STATEMENT, wanted, prepare=True)
                await cursor.fetchall()
                latencies.append(time.perf_counter() - started)

    await asyncio.gather(*(ask() for _ in range(CONNECTIONS)))
    return len(latencies) / (time.perf_counter() - begun), percentile(latencies, 0.99)


def _pgbench(stage: Stage, database: str, entries: int, seconds: float) -> float:
    """Run the API's statement by PostgreSQL's own benchmark over as many connections; return statements a second."""
    values = {name: _literal(value) for name, value in _AUDITED.items()} | {"id": f"({_ID})"}
    script = stage.folder / "pgbench.sql"
    text = re.sub(r"%\((\w+)\)s", lambda found: values[found[1]], _STATEMENT)
    script.write_text(f"\\set n random(0, {entries - 1})\n{text};\n", encoding="utf-8")
    options = ["-n", "-M", "prepared", "-c", str(CONNECTIONS), "-j", "1", "-T", str(max(1, int(seconds)))]
    said = subprocess.run(
        [program("pgbench"), *options, "-f", script, stage.server.url_of(database)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.search(r"^tps = ([\d.]+)", said, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"pgbench said {said}")
    return float(found[1])


def _literal(value: Any) -> str:
    return "null::text" if value is None else str(value) if isinstance(value, int) else f"'{value}'::text"


def _size_gib(stage: Stage, database: str) -> float:
    statement: LiteralString = "select pg_database_size(current_database())"
    with stage.connect(database) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return int(row[0]) / (1 << 30)
