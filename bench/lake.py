"""Time and memory of the lake: one day on DuckDB beside the floor and on Spark, and a day after a long history.

``python -m bench.lake`` prints the tables; ``--write`` also puts them into docs/benchmarks/lake.md, and what follows
for a cluster into docs/sizing.md. Parts that are not measured keep their last results there.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from bench.lake_commands import Scratch
from bench.lake_day import measure_day, measure_fixed, measure_validation
from bench.lake_history import measure_history
from bench.lake_report import render
from bench.lake_sizing import render_sizing
from bench.lake_spark import measure_spark_day
from bench.record import PROJECT, parser, read_results, stamp, write_results

PACKAGES = ("duckdb", "dbt-core", "dbt-duckdb", "pyspark", "delta-spark")
PARTS = ("1m", "10m", "history", "spark-1m", "spark-10m")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the parts asked for and print their tables."""
    options = _options(arguments)
    scratch = Scratch(folder=options.scratch.resolve())
    scratch.folder.mkdir(parents=True, exist_ok=True)
    results = read_results("lake")
    for part in options.only or PARTS:
        print(f"measuring {part} …", flush=True)
        measured_on = stamp(PACKAGES)
        if part == "history":
            results[part] = measured_on | measure_history(scratch)
        elif part.startswith("spark-"):
            results[part] = measured_on | measure_spark_day(scratch, part.removeprefix("spark-"))
        else:
            fixed = measure_fixed(scratch, repeats=3)
            day = measure_day(scratch, part, repeats=3 if part == "1m" else 1)
            validation = {"validated_load": measure_validation(scratch, part)} if part == "1m" else {}
            results[part] = measured_on | {"fixed": fixed} | day | validation
        scratch.clear()
        if options.write:
            write_results("lake", results, render(results))
            if largest := results.get("spark-10m") or results.get("spark-1m"):
                (PROJECT / "docs" / "sizing.md").write_text(render_sizing(largest), encoding="utf-8")
    print(render({part: results[part] for part in options.only or PARTS}))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    return parser("lake", __doc__, PARTS, scratch="generated data and warehouses, up to 20 GB; data").parse_args(
        arguments
    )


if __name__ == "__main__":
    main()
