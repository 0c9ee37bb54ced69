"""Time and memory of the lake: one day on DuckDB beside the floor and on Spark, and a day after a long history.

``python -m bench.lake`` prints the tables; ``--write`` also puts them into docs/benchmarks/lake.md. Parts that are not
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

from bench.lake_commands import Scratch
from bench.lake_day import measure_day, measure_fixed, measure_validation
from bench.lake_history import measure_history
from bench.lake_report import render
from bench.lake_spark import measure_spark_day
from bench.measuring import describe_machine

PROJECT = Path(__file__).resolve().parents[1]
RESULTS = PROJECT / "docs" / "benchmarks" / "lake.json"
PAGE = RESULTS.with_suffix(".md")

PACKAGES = ("duckdb", "dbt-core", "dbt-duckdb", "pyspark", "delta-spark")
PARTS = ("1m", "10m", "history", "spark-1m", "spark-10m")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the parts asked for and print their tables."""
    options = _options(arguments)
    scratch = Scratch(folder=options.scratch.resolve())
    scratch.folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for part in options.only or PARTS:
        print(f"measuring {part} …", flush=True)
        stamp = {"date": datetime.now(UTC).date().isoformat(), "machine": describe_machine(PACKAGES)}
        if part == "history":
            results[part] = stamp | measure_history(scratch)
        elif part.startswith("spark-"):
            results[part] = stamp | measure_spark_day(scratch, part.removeprefix("spark-"))
        else:
            fixed = measure_fixed(scratch, repeats=3)
            day = measure_day(scratch, part, repeats=3 if part == "1m" else 1)
            validation = {"validated_load": measure_validation(scratch, part)} if part == "1m" else {}
            results[part] = stamp | {"fixed": fixed} | day | validation
        scratch.clear()
        if options.write:
            RESULTS.parent.mkdir(parents=True, exist_ok=True)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
            PAGE.write_text(render(results), encoding="utf-8")
    print(render({part: results[part] for part in options.only or PARTS}))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.lake", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=PARTS, help="measure this part (may be given more than once); default: all"
    )
    parser.add_argument(
        "--scratch",
        type=Path,
        default=Path(os.environ.get("PLURA_BENCH_DIR", PROJECT / "data" / "bench")),
        help="folder for generated data and warehouses, up to 20 GB; data that are there are used again"
        " (default: PLURA_BENCH_DIR, else data/bench)",
    )
    parser.add_argument("--write", action="store_true", help="put the results into docs/benchmarks/lake.md")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
