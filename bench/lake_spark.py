"""One generated day through the lake on Spark + Delta Lake, on the cores of this machine."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from bench.lake_commands import Scratch
from bench.lake_day import DAY, READ_BY, SIZES, figures, generate_day, lines_of, median_run
from bench.measuring import measure_tree

_MEMORY = {"1m": "4g", "10m": "10g"}
"""Memory of the session, which is executor as well as driver here."""


def measure_spark_day(scratch: Scratch, size: str) -> dict[str, Any]:
    """Measure load and run of one day, and what lies on the disk afterwards; also a day of hardly any rows."""
    wallets, entries = SIZES[size]
    data = generate_day(scratch, size)
    fixed = _measure(scratch, generate_day(scratch, "tiny"), memory=_MEMORY["1m"])
    measured = _measure(scratch, data, memory=_MEMORY[size])
    lines = lines_of(data)
    return measured | {
        "wallets": wallets,
        "entries": entries,
        "lines": sum(lines.values()),
        "rows": {step: sum(lines[table] for table in tables) for step, tables in READ_BY.items()},
        "memory": _MEMORY[size],
        "fixed": fixed["run"],
        "fixed_load_s": fixed["load"]["wall_s"],
    }


def _measure(scratch: Scratch, data: Path, *, memory: str) -> dict[str, Any]:
    shutil.rmtree(scratch.spark_warehouse, ignore_errors=True)
    with scratch.on_spark(memory=memory) as (environment, events):
        load = measure_tree(scratch.load_command(data, "--no-validate", "--target", "spark"), environment)
        loaded = _tasks(events)
    with scratch.on_spark(memory=memory) as (environment, events):
        process = measure_tree(scratch.run_command("--date", DAY.isoformat(), "--target", "spark"), environment)
        ran = _tasks(events)
    return {
        "load": figures(load) | {"tasks": loaded},
        "run": median_run([scratch.read_run(process)]) | {"tasks": ran},
        "disk": {schema: _size(scratch.spark_warehouse / f"{schema}.db") for schema in ("bronze", "silver", "gold")},
    }


def _tasks(events: Path) -> dict[str, float]:
    """What the tasks of an application took, from the event log in a folder.

    Seconds that they held a core and that they used one, bytes that they wrote for a shuffle in all and in the stage
    that wrote most, and bytes that they spilled to disk.
    """
    core_s = cpu_s = spilled = 0.0
    shuffled: Counter[int] = Counter()
    for file in events.rglob("events_*"):
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                if line.startswith('{"Event":"SparkListenerTaskEnd"') and '"Task Metrics"' in line:
                    task = json.loads(line)
                    metrics = task["Task Metrics"]
                    core_s += metrics["Executor Run Time"] / 1e3
                    cpu_s += metrics["Executor CPU Time"] / 1e9
                    shuffled[task["Stage ID"]] += metrics["Shuffle Write Metrics"]["Shuffle Bytes Written"]
                    spilled += metrics["Disk Bytes Spilled"]
    return {
        "core_s": core_s,
        "cpu_s": cpu_s,
        "shuffled_bytes": shuffled.total(),
        "largest_stage_bytes": max(shuffled.values(), default=0),
        "spilled_bytes": spilled,
    }


def _size(folder: Path) -> dict[str, int]:
    """Bytes and number of data files below a folder of tables."""
    files = [file for file in folder.rglob("*.parquet") if "_delta_log" not in file.parts]
    return {"bytes": sum(file.stat().st_size for file in files), "files": len(files)}
