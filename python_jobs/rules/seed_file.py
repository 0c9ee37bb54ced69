"""The file of the rules, read strictly: every row has every column, and no quote is left open."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from python_jobs.rules.versions import Row, RuleReading, cell, column_faults, read_rules

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

RULES_FILE = Path("seeds") / "rules.csv"
ENTRY_TYPES_FILE = Path("seeds") / "entry_types.csv"

_OTHER_ENCODINGS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def project_rules(project_dir: Path, manifest: Manifest | None = None) -> RuleReading:
    """Read the rules of a dbt project; one without the file has none, and does not parse.

    Args:
        project_dir: folder of the project.
        manifest: the parsed project where it is at hand; it knows where its seeds lie.
    """
    rules, entry_types = RULES_FILE, ENTRY_TYPES_FILE
    if manifest is not None:
        rules, entry_types = (
            Path(manifest.nodes[f"seed.plura.{name}"].original_file_path) for name in ("rules", "entry_types")
        )
    if not (project_dir / rules).exists():
        return RuleReading()
    return read_rule_file(project_dir / rules, entry_types=_entry_types(project_dir / entry_types))


def read_rule_file(path: Path, *, entry_types: Collection[str] | None = None) -> RuleReading:
    """Read the file of the rules; a byte order mark of UTF-8 is passed over.

    Args:
        path: the file.
        entry_types: types of ``seeds/entry_types.csv``; None checks none.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        return RuleReading(faults=(f"{error.strerror} (allowed: a CSV file)",))
    if content.startswith(_OTHER_ENCODINGS):
        return RuleReading(faults=("it is written in UTF-16 (allowed: CSV in UTF-8)",))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return RuleReading(faults=(f"line {line} is not UTF-8 (allowed: CSV in UTF-8)",))
    if "\x00" in text:
        return RuleReading(faults=("it has zero bytes (allowed: CSV in UTF-8)",))
    return _read_table(text, entry_types)


def _entry_types(path: Path) -> set[str] | None:
    """Types of ledger entries, None where the file cannot be read, which dbt reports."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return {row["entry_type"] for row in csv.DictReader(file)}
    except (OSError, ValueError, KeyError, csv.Error):
        return None


def _read_table(text: str, entry_types: Collection[str] | None) -> RuleReading:
    reader = csv.reader(io.StringIO(text, newline=None), strict=True)
    rows: list[Row] = []
    faults: list[str] = []
    try:
        columns = next(reader, [])
        faults += column_faults(columns)
        if faults:
            return RuleReading(faults=tuple(faults))
        start = reader.line_num + 1
        for fields in reader:
            if len(fields) == len(columns):
                rows.append(dict(zip(columns, fields, strict=True)))
            elif fields:  # an empty line has none
                name = f" (rule {fields[0]})" if cell(fields[0]) else ""
                faults.append(f"line {start}{name} has {len(fields)} fields (allowed: {len(columns)})")
            start = reader.line_num + 1
    except csv.Error as error:
        faults.append(f"line {reader.line_num} is no CSV: {error} (allowed: quotes doubled and closed)")
    return RuleReading(faults=tuple(faults)) if faults else read_rules(rows, entry_types=entry_types)
