"""What the benchmarks share: their options, and the file in docs/benchmarks that keeps the results of each part."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.measuring import describe_machine

PROJECT = Path(__file__).resolve().parents[1]

Results = dict[str, Any]


def parser(name: str, description: str | None, parts: Sequence[str], *, scratch: str) -> argparse.ArgumentParser:
    """Return the parser of a benchmark; ``scratch`` says what lies in its folder."""
    made = argparse.ArgumentParser(prog=f"python -m bench.{name}", description=description)
    made.add_argument(
        "--only", action="append", choices=parts, help="measure this part (may be given more than once); default: all"
    )
    made.add_argument(
        "--scratch",
        type=Path,
        default=Path(os.environ.get("PLURA_BENCH_DIR") or PROJECT / "data" / "bench"),
        help=f"folder for {scratch} that are there are used again (default: PLURA_BENCH_DIR, else data/bench)",
    )
    made.add_argument("--write", action="store_true", help=f"put the results into docs/benchmarks/{name}.md")
    return made


def stamp(packages: Sequence[str]) -> Results:
    """Return when and on what a part is measured."""
    return {"date": datetime.now(UTC).date().isoformat(), "machine": describe_machine(packages)}


def read_results(name: str) -> Results:
    """Return the kept results of a benchmark by part, none if there are none yet."""
    file = _page(name).with_suffix(".json")
    kept: Results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return kept


def write_results(name: str, results: Results, page: str) -> None:
    """Keep the results, and the page that shows them."""
    file = _page(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    file.write_text(page, encoding="utf-8")


def _page(name: str) -> Path:
    return PROJECT / "docs" / "benchmarks" / f"{name}.md"
