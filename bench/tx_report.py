"""Results of the transaction service's benchmark as a page of Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping

from bench.record import Results
from bench.tables import count, hundredths, table, tenths, times, verdict, where

LEAST_BACKFILL = 15_000
LEAST_SUSTAINED = 10_000
MOST_VISIBLE_MS = 250
LEAST_LOOKUPS = 1_200
MOST_P99_MS = 20
MOST_OF_FEW_ROWS = 1.5
MOST_OF_FEW_ENTRIES = 1.5

_INTRODUCTION = """# Speed of the transaction service

Written by `make bench-tx ARGS=--write`; `make bench-tx` only prints the tables. `ARGS='--only backfill'` (or `kafka`,
`visible`, `api`, `api-10m`, `pages`) measures a part, `--scratch DIR` names the folder for databases and brokers, and
`--scale 0.01` tries it all in a minute. The machine should do nothing else meanwhile.

- Everything runs on this machine and shares its cores: PostgreSQL, an Apache Kafka broker, the commands of `plura tx`
  as processes of their own, and what produces events and asks.
- PostgreSQL is the embedded one with {server}; the rest is its defaults, commits wait for the disk.
- Of seven events five are ledger entries and two are payment orders; of five entries four are the two sides of two
  payments. All are new, so that each is a row and each order a pair.
- The API has one worker, checks RS256 tokens against a JWKS address and writes the audit row of every lookup in the
  lookup's own statement. The load comes from [bench/http_load.py](../../bench/http_load.py): kept connections in one
  thread, as little work for a request as Python allows. What it takes of the two cores is shown.
- The cores of a virtual machine are not equally fast at all times, here by up to a third. The parts that are measured
  alone were measured in the same minutes, so compare with them.
- Results are checked: rows, pairs and audit rows are counted, and every answer holds the id that was asked for.
"""

_BACKFILL = """## Backfill of files

{where}

{events} events in two files into empty tables, medians of {repeats} turns.

{rows}
{targets}"""

_KAFKA = """## From Kafka into the tables

{where}

{events} events lie in two topics of two partitions each, the producer has ended; medians of {repeats} turns.
*Sustained* is from the transaction of the first batch to that of the last.

{rows}
{targets}"""

_VISIBLE = """## From an event to its answer

{where}

{per_second} ledger events a second for {seconds} s, each with the time at which it is handed to the producer. {probes}
of them are asked for in the API until they are there. Producer, broker, consumer, PostgreSQL and API share the cores.

{rows}
{targets}"""

_API = """## Lookups: `GET /admin/tx/{{id}}`, {entries} ledger entries

{where}

Random entries, {connections} requests at work at a time, {seconds} s; medians of {repeats} turns. The database has
{database_gib} GiB.

{rows}
Processor time of a request: {api_us} µs of the API, which has one core at most, {server_us} µs of PostgreSQL,
{load_us} µs of the load. Cores at work: API {api_cores}, PostgreSQL {server_cores}, load {load_cores}, in all
{busy_cores} of the machine.

{targets}"""

_PAGES = """## Pages of an id with {many} entries

{where}

Pages of an order and of a wallet, one request at a time for {seconds} s; medians of {repeats} turns. The entries are
all of one side and have no pair, so that each row asks for both candidates of one. A page has ten rows unless it says
more.

{rows}
{targets}"""


def render(results: Results, server: Mapping[str, str]) -> str:
    """Return the page; ``server`` are the settings of PostgreSQL."""
    settings = ", ".join(f"`{name}` {value}" for name, value in server.items())
    return "\n".join(
        [_INTRODUCTION.format(server=settings), *(render_part(part, results) for part in _PARTS if part in results)]
    )


def render_part(part: str, results: Results) -> str:
    """Return the section of a part; that of many rows compares itself with that of few, where it is there."""
    return _PARTS[part](results)


def _backfill(results: Results) -> str:
    part = results["backfill"]
    events, wall_s = part["events"], part["wall_s"]
    rate = events / wall_s
    without_start = events / (wall_s - part["start_s"])
    rows = [
        ["the command, from start to end", tenths(wall_s), count(rate)],
        ["of it starting and ending: the same with empty files", tenths(part["start_s"]), ""],
        ["the command without that", tenths(wall_s - part["start_s"]), count(without_start)],
        ["reading and checking the events alone, one core", tenths(part["read_s"]), count(events / part["read_s"])],
        [
            "`COPY` of ready rows alone, no latest-wins, no pairs",
            tenths(part["copy_s"]),
            count(events / part["copy_s"]),
        ],
    ]
    why = f"{count(without_start)} events/s without starting"
    targets = [
        [f"≥ {count(LEAST_BACKFILL)} events/s", f"{count(rate)}/s", verdict(rate >= LEAST_BACKFILL, why)],
    ]
    return _BACKFILL.format(
        where=where(part),
        events=count(events),
        repeats=part["repeats"],
        rows=table(["what", "seconds", "events/s"], rows)
        + f"\nReading and writing overlap, so the slower of the two bounds the command. Its processor time is"
        f" {tenths(part['cpu_s'])} s, its peak {hundredths(part['peak_gib'])} GiB.\n",
        targets=_targets(targets),
    )


def _kafka(results: Results) -> str:
    part = results["kafka"]
    events, rate = part["events"], part["per_second"]
    rows = [
        ["sustained", count(rate)],
        [f"the whole process, {tenths(part['wall_s'])} s from start to end", count(events / part["wall_s"])],
        ["kafka-python reads the same and does nothing with it", count(part["read_alone_per_second"])],
    ]
    why = "consumer, PostgreSQL and broker share the cores"
    targets = [[f"≥ {count(LEAST_SUSTAINED)} events/s", f"{count(rate)}/s", verdict(rate >= LEAST_SUSTAINED, why)]]
    return _KAFKA.format(
        where=where(part),
        events=count(events),
        repeats=part["repeats"],
        rows=table(["what", "events/s"], rows)
        + f"\nProcessor time of the consumer {count(part['cpu_s'] / events * 1e6)} µs an event, its start included;"
        f" peak {hundredths(part['peak_gib'])} GiB. PostgreSQL and the broker take the rest of the cores.\n",
        targets=_targets(targets),
    )


def _visible(results: Results) -> str:
    part = results["visible"]
    names = {"p50_s": "half of them", "p95_s": "95 %", "p99_s": "99 %", "max_s": "all"}
    rows = [[said, _ms(part[name])] for name, said in names.items()]
    p95 = part["p95_s"] * 1000
    why = "all of them share the cores"
    targets = [[f"p95 ≤ {MOST_VISIBLE_MS} ms", f"{p95:.0f} ms", verdict(p95 <= MOST_VISIBLE_MS, why)]]
    return _VISIBLE.format(
        where=where(part),
        per_second=count(part["per_second"]),
        seconds=part["seconds"],
        probes=count(part["probes"]),
        rows=table(["seen", "within ms"], rows),
        targets=_targets(targets),
    )


def _few(results: Results) -> str:
    return _api(results["api"], _api_targets(results["api"]))


def _many(results: Results) -> str:
    return _api(results["api-10m"], _many_targets(results["api-10m"], results.get("api")))


def _api(part: Results, targets: list[list[str]]) -> str:
    rows = [
        [
            "the API",
            count(part["per_second"]),
            *(_ms(part[name]) for name in ("p50_s", "p95_s", "p99_s", "max_s")),
        ],
        [
            "its statement by psycopg, no HTTP",
            count(part["psycopg_per_second"]),
            "",
            "",
            _ms(part["psycopg_p99_s"]),
            "",
        ],
        ["its statement by pgbench", count(part["pgbench_per_second"]), "", "", "", ""],
    ]
    return _API.format(
        where=where(part),
        entries=count(part["entries"]),
        connections=part["connections"],
        seconds=f"{part['seconds']:.0f}",
        repeats=part["repeats"],
        database_gib=hundredths(part["database_gib"]),
        rows=table(["what", "a second", "p50 ms", "p95 ms", "p99 ms", "longest ms"], rows),
        **{f"{name}_cores": hundredths(part[f"{name}_cores"]) for name in ("api", "server", "load", "busy")},
        **{f"{name}_us": count(part[f"{name}_cores"] / part["per_second"] * 1e6) for name in ("api", "server", "load")},
        targets=_targets(targets),
    )


def _api_targets(part: Results) -> list[list[str]]:
    rate, p99 = part["per_second"], part["p99_s"] * 1000
    why = f"a request takes {count(part['api_cores'] / rate * 1e6)} µs of the one core that a process has"
    return [
        [f"≥ {count(LEAST_LOOKUPS)} requests/s", f"{count(rate)}/s", verdict(rate >= LEAST_LOOKUPS, why)],
        [f"p99 ≤ {MOST_P99_MS} ms", f"{p99:.1f} ms", verdict(p99 <= MOST_P99_MS, why)],
    ]


def _many_targets(part: Results, few: Results | None) -> list[list[str]]:
    if few is None:
        return []
    ratio = part["p99_s"] / few["p99_s"]
    met = verdict(ratio <= MOST_OF_FEW_ROWS, "the rows lie further apart")
    return [[f"p99 ≤ {MOST_OF_FEW_ROWS} × that of {count(few['entries'])} entries", times(ratio), met]]


def _pages(results: Results) -> str:
    part = results["pages"]
    rows = [
        [page["what"], count(page["entries"]), page["page"], _ms(page["p50_s"]), _ms(page["p99_s"])]
        for page in part["pages"]
    ]
    targets = []
    for what in ("an order", "a wallet"):
        few, *many = (page["p50_s"] for page in part["pages"] if page["what"] == what)
        ratio = max(many[:2]) / few
        met = verdict(ratio <= MOST_OF_FEW_ENTRIES, "a page should cost what a page costs")
        targets.append([f"{what}: p50 of ten rows ≤ {MOST_OF_FEW_ENTRIES} × that of few", times(ratio), met])
    return _PAGES.format(
        where=where(part),
        many=count(part["many"]),
        seconds=f"{part['seconds']:.0f}",
        repeats=part["repeats"],
        rows=table(["what", "entries", "page", "p50 ms", "p99 ms"], rows),
        targets=_targets(targets),
    )


def _targets(rows: list[list[str]]) -> str:
    return table(["target on 2 cores", "measured", "verdict"], rows) if rows else ""


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f}"


_PARTS = {"backfill": _backfill, "kafka": _kafka, "visible": _visible, "api": _few, "api-10m": _many, "pages": _pages}
"""Sections of the page in order."""
