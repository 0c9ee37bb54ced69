"""Suggests the right name of a file that is not read because of its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from python_jobs.contracts import Table
from python_jobs.load.file_format import first_object
from python_jobs.load.fit import likely_tables
from python_jobs.load.lines import head_of
from python_jobs.load.similar_names import TableMatch, match_table
from python_jobs.warehouse import LakeError

SUFFIXES = (".jsonl", ".jsonl.gz")
"""Endings of the files that are read."""

ONLY = "only *.jsonl and *.jsonl.gz files are"

_ENDING = re.compile(
    r"(?P<stem>.*?)"
    r"(?P<lines>\.(?:jsonl|ndjson|jsonlines?|ldjson)(?:\.(?:txt|json))?)?"
    r"(?P<json>\.json)?"
    r"(?P<other>\.(?:csv|tsv|psv|txt|parquet|avro|orc|xlsx?|xml|html?))?"
    r"(?P<packed>(?:\.(?:gz|gzip|zst|zstd|bz2|xz|lz4|zip|7z|br|snappy|sz|lzo|z|rar|tar|tgz))*)",
    re.IGNORECASE | re.DOTALL,
)


class Kind(Enum):
    """The kind of a file by its ending."""

    LINES = "JSON lines under another ending"
    JSON = "anything that is JSON"
    OTHER = "another format"
    PACKED = "compressed, or an archive"
    UNKNOWN = "an ending that says nothing"


@dataclass(frozen=True, kw_only=True)
class Ending:
    """The name of a file taken apart; ``is_gzip`` and ``is_packed`` say how it is compressed."""

    stem: str
    kind: Kind
    is_gzip: bool = False
    is_packed: bool = False

    @classmethod
    def of(cls, name: str) -> Ending:
        """Take a name apart, in whatever case its ending is written."""
        match = _ENDING.fullmatch(name)
        if match is None or not match["stem"] or match["stem"] == name:
            return cls(stem=name.split(".jsonl", 1)[0].rstrip(".") or name, kind=Kind.UNKNOWN)
        packed = match["packed"].lower()
        kinds = {"lines": Kind.LINES, "json": Kind.JSON, "other": Kind.OTHER, "packed": Kind.PACKED}
        kind = next((kind for group, kind in kinds.items() if match[group]), Kind.UNKNOWN)
        is_gzip = packed in {".gz", ".gzip"}
        return cls(stem=match["stem"], kind=kind, is_gzip=is_gzip, is_packed=bool(packed) and not is_gzip)

    def advice(self, right: str) -> str:
        """What to do so that the file is read under a name without an ending, ``right``."""
        if self.kind is Kind.OTHER:
            return f"write its rows as JSON lines into {right}.jsonl"
        if self.is_packed:
            return f"decompress it into {right}.jsonl, or pack it with gzip as {right}.jsonl.gz"
        suffix = f".jsonl{'.gz' if self.is_gzip else ''}"
        if self.kind is Kind.UNKNOWN:
            return f"if it is a whole file of JSON lines, name it {right}{suffix}"
        if "/" in right:
            source = right.split("/", 1)[0]
            return f"put it into the folder {source} ({right}{suffix}), or name it {source}{suffix}"
        return f"name it {right}{suffix}"


def advice_inside(path: Path) -> str:
    """Return what to do with a file in the folder of a table whose ending is not read."""
    ending = Ending.of(path.name)
    return f"{ONLY}; {ending.advice(ending.stem)}"


def advice_for_file(path: Path, by_name: Mapping[str, Table]) -> str | None:
    """Return what to do with a file outside the folders of tables whose ending is not read.

    None for a file that is not meant for the lake: its ending is not one of JSON lines, its name means no table, and
    its content, as far as it is JSON, fits none.
    """
    ending = Ending.of(path.name)
    meant = _meant(path, ending.stem, by_name)
    if ending.kind is Kind.LINES:
        return f"{ONLY}; {_advice(meant, ending)}" if meant else f"{ONLY}, and its name is of no table"
    if meant is None or (meant.is_guess and ending.kind is not Kind.JSON):
        return None
    if ending.kind is Kind.UNKNOWN and path.name.split(".", 1)[0] not in by_name:
        return None  # a note about a table, for example
    if ending.kind is Kind.JSON and meant.is_guess and not tables_of(path, by_name):
        return None
    return f"{ONLY}; {_advice(meant, ending)}"


def advice_for_stray(path: Path, by_name: Mapping[str, Table], *, inside: Path | None) -> str | None:
    """Return what to do with a file of JSON lines that belongs to no table; None if no table fits.

    Args:
        path: the file.
        by_name: the tables by their names and by those of their sources.
        inside: the folder of no table that the file lies in; None if it lies in the folder that is loaded.
    """
    ending = Ending.of(path.name)
    if inside and path.name.split(".", 1)[0] in by_name:
        return f"load the folder that it lies in: plura lake load {inside}"
    meant = _meant(path, inside.name if inside else ending.stem, by_name)
    if meant is None:
        return None
    return f"{_why(meant)}name the folder {meant.table.source}" if inside else _advice(meant, ending)


def tables_of(path: Path, by_name: Mapping[str, Table]) -> list[Table]:
    """Return the tables that the first object of a file fits best; none if it has no object or cannot be read."""
    try:
        found = first_object(head_of(path))
    except LakeError:
        return []
    tables = {table.name: table for table in by_name.values()}
    return [tables[name] for name in likely_tables(set(found), tables.values())] if found else []


def _meant(path: Path, name: str, by_name: Mapping[str, Table]) -> TableMatch | None:
    """The table that a file is meant for: by its content where that is of one table only, else by a name."""
    by_its_name = match_table(name, by_name)
    fitting = tables_of(path, by_name)
    if len(fitting) == 1 and (by_its_name is None or by_its_name.table.name != fitting[0].name):
        return TableMatch(table=fitting[0], is_whole_name=False, is_by_content=True)
    return by_its_name


def _advice(meant: TableMatch, ending: Ending) -> str:
    """What to do with a file outside the folders of tables that is meant for a table."""
    source = str(meant.table.source)
    return _why(meant) + ending.advice(source if meant.is_whole_name else f"{source}/{ending.stem}")


def _why(meant: TableMatch) -> str:
    """The reason for a suggestion that the name does not give."""
    return f"its first line looks like {meant.table.source}: " if meant.is_by_content else ""
