"""Files of rules for the tests: the default one, lines to add to it, and what is read of them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from python_jobs.rules import RuleReading, read_rule_file
from python_jobs.rules.catalog import COLUMNS
from tests.dbt_runs import PROJECT
from tests.oracle.rules import read_csv

DEFAULT = (PROJECT / "seeds" / "rules.csv").read_text(encoding="utf-8")
ENTRY_TYPES = tuple(row["entry_type"] for row in read_csv(PROJECT / "seeds" / "entry_types.csv"))


def read(content: str | bytes, folder: Path) -> RuleReading:
    """What is read of a file."""
    path = folder / "rules.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_rule_file(path)


def row(what: str, **cells: str) -> str:
    """One line of the file: ``domain/metric`` and cells by column."""
    domain, metric = what.split("/")
    text = io.StringIO(newline="")
    cells = {"rule_id": "odd", "domain": domain, "metric": metric, "effective_start_ts": "2026-02-03"} | cells
    csv.DictWriter(text, COLUMNS, lineterminator="\n").writerow(cells)
    return text.getvalue()
