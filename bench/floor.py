"""The floor: a hand-written script that computes the same Silver and Gold of one clean day from the Bronze tables.

``python -m bench.floor WAREHOUSE DAY`` computes the day and prints the seconds of each section as JSON.
"""

from __future__ import annotations

import json
import re
import sys
import time
from datetime import date
from pathlib import Path

import duckdb

from python_jobs.profile import target_settings

SCRIPT = Path(__file__).with_name("floor_lake.sql")

_SECTION = re.compile(r"^-- section: (\w+)$", re.MULTILINE)


def sections() -> dict[str, str]:
    """Return the SQL of each section of the script, in order; they are named like the pipelines."""
    _, *parts = _SECTION.split(SCRIPT.read_text(encoding="utf-8"))
    return dict(zip(parts[::2], parts[1::2], strict=True))


def run_floor(connection: duckdb.DuckDBPyConnection, day: date) -> dict[str, float]:
    """Compute the day into the schemas floor_silver and floor_gold, and return the seconds of each section."""
    connection.execute("set variable day = cast($1 as date)", [day.isoformat()])
    connection.execute("set variable run_id = 'floor'")
    seconds = {}
    for name, statements in sections().items():
        started = time.perf_counter()
        connection.execute(statements)
        seconds[name] = time.perf_counter() - started
    return seconds


def engine_settings() -> dict[str, str]:
    """Return the DuckDB settings of the lake's profile, so that floor and lake run under the same ones."""
    settings = target_settings(Path(__file__).parents[1], "duckdb")["settings"]
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in settings.items()}


def compute(warehouse: str, day: date) -> dict[str, float]:
    """Compute one day on the warehouse under the lake's settings, and return the seconds of each section."""
    with duckdb.connect(warehouse) as connection:
        for name, value in engine_settings().items():
            connection.execute(f"set {name} = '{value}'")
        return run_floor(connection, day)


if __name__ == "__main__":
    print(json.dumps(compute(sys.argv[1], date.fromisoformat(sys.argv[2]))))
