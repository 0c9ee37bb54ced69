"""Reads the file of the rules strictly: every row has every column, and every quote is closed."""

from __future__ import annotations

import codecs
import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from python_jobs.rules.versions import Row, RuleReading, cell, column_faults, read_rules

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

RULES_FILE = Path("seeds") / "rules.csv"

_OTHER_ENCODINGS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def project_rules(project_dir: Path, manifest: Manifest | None = None) -> RuleReading:
    """Read the rules of a dbt project; one without the file has none, and does not parse.

    Args:
        project_dir: folder of the project.
        manifest: the parsed project, if there is one; it has the path of the seed.
    """
    file = RULES_FILE if manifest is None else Path(manifest.nodes["seed.plura.rules"].original_file_path)
    return read_rule_file(project_dir / file) if (project_dir / file).exists() else RuleReading()


def read_rule_file(path: Path) -> RuleReading:
    """Read the file of the rules; a byte order mark of UTF-8 is passed over."""
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
    return _read_table(text)


def _read_table(text: str) -> RuleReading:
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
        faults.append(f"line {reader.line_num} is not CSV: {error} (allowed: quotes doubled and closed)")
    return RuleReading(faults=tuple(faults)) if faults else read_rules(rows)
