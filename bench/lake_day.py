"""One generated day through the lake, pipeline by pipeline, beside the floor."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import duckdb

from bench.lake_commands import Run, Scratch
from bench.measuring import Measured, measure
from python_jobs.pipeline_names import PIPELINES

DAY = date(2026, 2, 1)

SIZES = {"tiny": (50, 200), "1m": (200_000, 1_000_000), "10m": (200_000, 10_000_000)}
"""Wallets and ledger entries of each size; about three orders come with ten entries. A tiny day shows what is fixed."""

READ_BY = {
    "load": ("transaction_ledger", "user_wallets", "payment_orders", "orders", "order_items", "products"),
    "guardrail": ("transaction_ledger", "user_wallets", "payment_orders"),
    "silver": ("transaction_ledger", "user_wallets", "payment_orders", "orders", "order_items", "products"),
    "controls": ("transaction_ledger", "user_wallets", "payment_orders"),
    "analytics": ("payment_orders", "order_items", "products"),
}


def measure_day(scratch: Scratch, size: str, *, repeats: int) -> dict[str, Any]:
    """Measure load, run and floor of one day, and each pipeline as a job of its own.

    Run and floor take turns ``repeats`` times, so that both see the same machine; the medians stand.
    """
    wallets, entries = SIZES[size]
    data = generate_day(scratch, size)
    scratch.clear()
    load = scratch.load(data)
    scratch.keep("bronze")
    lines = _lines(scratch.warehouse)
    floors: list[tuple[Measured, dict[str, float]]] = []
    runs: list[Run] = []
    for _ in range(repeats):
        scratch.restore("bronze")
        runs.append(scratch.run("--date", DAY.isoformat()))
        scratch.restore("bronze")
        process = measure(
            [sys.executable, "-m", "bench.floor", str(scratch.warehouse), DAY.isoformat()], scratch.environment
        )
        floors.append((process, json.loads(next(line for line in process.output.splitlines() if line.startswith("{")))))
    scratch.restore("bronze")
    jobs = {name: scratch.run("--date", DAY.isoformat(), "--pipeline", name) for name in PIPELINES}
    return {
        "wallets": wallets,
        "entries": entries,
        "orders": lines["payment_orders"],
        "lines": sum(lines.values()),
        "rows": {step: sum(lines[table] for table in tables) for step, tables in READ_BY.items()},
        "repeats": repeats,
        "load": figures(load),
        "jobs": {name: figures(job.process) for name, job in jobs.items()},
        "run": median_run(runs),
        "floor": {
            "wall_s": median(process.wall_s for process, _ in floors),
            "peak_gib": max(process.peak_gib for process, _ in floors),
            "sections": {name: median(seconds[name] for _, seconds in floors) for name in PIPELINES},
        },
    }


def measure_fixed(scratch: Scratch, *, repeats: int) -> dict[str, Any]:
    """Measure a run over a day of hardly any rows: what dbt itself costs. Also lets dbt parse the project once."""
    data = generate_day(scratch, "tiny")
    scratch.clear()
    scratch.load(data)
    scratch.keep("tiny")
    scratch.run("--date", DAY.isoformat())
    runs = []
    for _ in range(repeats):
        scratch.restore("tiny")
        runs.append(scratch.run("--date", DAY.isoformat()))
    return median_run(runs)


def measure_validation(scratch: Scratch, size: str) -> dict[str, Any]:
    """Measure a load with Great Expectations before it."""
    data = generate_day(scratch, size)
    scratch.clear()
    return figures(scratch.load(data, validate=True))


def generate_day(scratch: Scratch, size: str) -> Path:
    """Generate the day of a size, unless it is there, and return its folder."""
    wallets, entries = SIZES[size]
    return scratch.generate(size, days=1, wallets=wallets, entries=entries, first_day=DAY)


def figures(process: Measured) -> dict[str, Any]:
    """Return what a process took."""
    return {"wall_s": process.wall_s, "cpu_s": process.cpu_s, "peak_gib": process.peak_gib}


def median_run(runs: list[Run]) -> dict[str, Any]:
    """Return what runs took: medians, and the highest peak."""
    return {
        "wall_s": median(run.process.wall_s for run in runs),
        "cpu_s": median(run.process.cpu_s for run in runs),
        "peak_gib": max(run.process.peak_gib for run in runs),
        "models": {name: median(run.models[name] for run in runs) for name in runs[0].models},
        "model_s": median(run.model_s for run in runs),
        "tests_s": median(run.tests for run in runs),
        "other_s": median(run.other for run in runs),
        "nodes": runs[0].nodes,
    }


def lines_of(data: Path) -> dict[str, int]:
    """Lines of each source in a folder of generated data."""
    counts: dict[str, int] = {}
    for file in data.glob("*/*.jsonl"):
        source = file.parent.name.removesuffix("_raw")
        with file.open("rb") as lines:
            counts[source] = counts.get(source, 0) + sum(1 for _ in lines)
    return counts


def _lines(warehouse: Path) -> dict[str, int]:
    """Lines of each source in Bronze."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = connection.execute(
            "select table_name, sum(row_count) from bronze.load_registry group by table_name"
        ).fetchall()
    return {name.removesuffix("_raw"): int(count) for name, count in rows}
