"""The floor: a hand-written script that computes the same Silver and Gold of one clean day from the Bronze tables.

``python -m bench.floor WAREHOUSE DAY`` computes the day and prints the seconds of each section as JSON.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from datetime import date
from pathlib import Path

import duckdb
import jinja2
import yaml

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
    text = (Path(__file__).parents[1] / "profiles" / "profiles.yml").read_text(encoding="utf-8")
    profile = yaml.safe_load(jinja2.Template(text).render(env_var=os.environ.get))
    settings = profile["plura"]["outputs"]["duckdb"]["settings"]
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in settings.items()}


def main(warehouse: str, day: str) -> None:
    """Compute one day on the warehouse."""
    with duckdb.connect(warehouse) as connection:
        for name, value in engine_settings().items():
            connection.execute(f"set {name} = '{value}'")
        print(json.dumps(run_floor(connection, date.fromisoformat(day))))


if __name__ == "__main__":
    main(*sys.argv[1:])
