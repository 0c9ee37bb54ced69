"""Which files of a folder are data, and which table each belongs to.

Files are ``<source>.jsonl``, or ``*.jsonl`` in a folder that is named by a table or its source, plain or gzip. Hidden
files are not data. What could be data but is not read is never skipped silently.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from python_jobs.contracts import Table
from python_jobs.load.advice import (
    SUFFIXES,
    Ending,
    Kind,
    advice_for_file,
    advice_for_stray,
    advice_inside,
)
from python_jobs.load.similar_names import match_table
from python_jobs.warehouse import LakeError

_HIDDEN_NAMES = {
    # Windows, and network drives
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "$recycle.bin",
    "system volume information",
    "@eadir",
    "lost+found",
    # macOS
    "__macosx",
    "icon\r",
    # Spark, Hadoop and Delta Lake
    "_success",
    "_temporary",
    "_metadata",
    "_common_metadata",
    "_delta_log",
    "_spark_metadata",
    # Python
    "__pycache__",
}
_HIDDEN_STARTS = (".", "~$", "_committed_", "_started_")
_HIDDEN_ENDS = ("~", ":zone.identifier")

_MOST_NAMED = 5
"""Files that one message names at most."""

_MOST_SEARCHED = 10_000
"""Files of nested folders whose names are read, at most."""

_MOST_OPENED = 100
"""Files that end in ``.json``, which may be anything, that are opened at most."""


@dataclass(kw_only=True)
class Listing:
    """The files to load with their tables, and what could be data but is not read, with the reason and what to do."""

    files: list[tuple[Path, Table]] = field(default_factory=list)
    unread: list[tuple[Path, str]] = field(default_factory=list)


def is_hidden(name: str) -> bool:
    """Return whether a name is one that systems, editors and engines give to what they keep beside data."""
    lower = name.lower()
    return (
        lower in _HIDDEN_NAMES
        or lower.startswith(_HIDDEN_STARTS)
        or lower.endswith(_HIDDEN_ENDS)
        or (lower.startswith("#") and lower.endswith("#"))
    )


def list_folder(folder: Path, tables: dict[str, Table]) -> Listing:
    """Return the files of a folder that are to be loaded, in the order of the contract and of their names.

    Raises:
        LakeError: there is no such folder, no file to load, or a ``*.jsonl`` file that belongs to no table: a load of
            the others alone would look like a day without that source.
    """
    if not folder.is_dir():
        raise LakeError(f"{folder} is not a folder: name one that holds <table>/*.jsonl or <source>.jsonl files")
    by_name = {name: table for table in tables.values() if table.source for name in (table.name, table.source)}
    listing = Listing()
    strays: list[Path] = []
    opened = 0
    for path in _visible(folder):
        if path.is_dir():
            strays += _list_inside(path, by_name, listing)
        elif not path.name.endswith(SUFFIXES):
            opened += Ending.of(path.name).kind is Kind.JSON
            if opened <= _MOST_OPENED and (advice := advice_for_file(path, by_name)):
                listing.unread.append((path, advice))
        elif table := by_name.get(path.name.split(".", 1)[0]):
            listing.files.append((path, table))
        else:
            strays.append(path)
    if strays:
        raise LakeError(_strays_message(strays, folder, by_name))
    if not listing.files:
        raise LakeError(_nothing_message(folder, listing, by_name))
    order = {name: rank for rank, name in enumerate(tables)}
    listing.files.sort(key=lambda item: (order[item[1].name], item[0]))
    return listing


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not is_hidden(path.name))


def _list_inside(inside: Path, by_name: dict[str, Table], listing: Listing) -> list[Path]:
    """Add what a folder holds to the listing; return its files of JSON lines if the folder is of no table."""
    table = by_name.get(inside.name)
    if table is None:
        strays = [path for path in _visible(inside) if path.name.endswith(SUFFIXES) and not path.is_dir()]
        if not strays and (path := _first_nested(inside, by_name)):
            listing.unread.append((path, _advice_for_nested(path, inside, by_name)))
        return strays
    for path in _visible(inside):
        if path.is_dir():
            listing.unread.append((path, f"files lie in {inside} itself, not in folders below it"))
        elif path.name.endswith(SUFFIXES):
            listing.files.append((path, table))
        else:
            listing.unread.append((path, advice_inside(path)))
    return []


def _first_nested(inside: Path, by_name: dict[str, Table]) -> Path | None:
    """The first file below a folder of no table that could be data.

    Engines write a folder under the name of a file, and the parts in it without an ending that says anything.
    """
    searched = 0
    is_file_of_parts = Ending.of(inside.name).kind is Kind.LINES
    for place, folders, files in os.walk(inside):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in sorted(name for name in files if not is_hidden(name)):
            searched += 1
            if searched > _MOST_SEARCHED:
                return None
            path = Path(place) / name
            ending = Ending.of(name)
            # what ends in .json may be anything
            is_named = any(match_table(word, by_name) for word in (ending.stem, path.parent.name))
            if ending.kind is Kind.LINES or (ending.kind is Kind.JSON and is_named) or is_file_of_parts:
                return path
    return None


def _advice_for_nested(path: Path, inside: Path, by_name: dict[str, Table]) -> str:
    if path.parent.name in by_name:
        return f"{inside} is the folder of no table; to load it, plura lake load {path.parent.parent}"
    if path.name.endswith(SUFFIXES) and path.name.split(".", 1)[0] in by_name:
        return f"{inside} is the folder of no table; to load it, plura lake load {path.parent}"
    advice = advice_for_stray(path, by_name, inside=inside) if path.parent == inside else None
    return f"{inside} is the folder of no table{f'; {advice}' if advice else ''}; {advice_inside(path)}"


def _strays_message(strays: list[Path], folder: Path, by_name: dict[str, Table]) -> str:
    """One line about files of JSON lines that belong to no table; a folder is one mistake, however many it holds."""
    places: dict[Path, Path] = {}
    for path in sorted(strays, key=lambda path: (path.parent != folder, path)):
        places.setdefault(path if path.parent == folder else path.parent, path)
    texts: list[str] = []
    for place, path in list(places.items())[:_MOST_NAMED]:
        inside = place if place != path else None
        name = place.name if inside else path.name.split(".", 1)[0]
        text = f"{path} belongs to no table"
        if not texts:
            text += f": {name!r} is none of {_sources(by_name)} (or their bronze table names)"
        advice = advice_for_stray(path, by_name, inside=inside)
        texts.append(f"{text}; {advice}" if advice else text)
    left = len(places) - _MOST_NAMED
    return ". ".join(texts) + (f". And {left} more" if left > 0 else "")


def _nothing_message(folder: Path, listing: Listing, by_name: dict[str, Table]) -> str:
    """One line about a folder without a file to load: what it holds, and what is read."""
    text = f"{folder} holds no *.jsonl or *.jsonl.gz file to load"
    texts = [f"{path} is not read: {why}" for path, why in listing.unread]
    found = texts or sorted(path.name for path in folder.iterdir())
    if not found:
        return text
    named = found[:_MOST_NAMED] + ([f"{len(found) - _MOST_NAMED} more"] if len(found) > _MOST_NAMED else [])
    if texts:
        return ". ".join([text, *named])
    return (
        f"{text}, only {', '.join(named)}. Files are <source>.jsonl or <source>/*.jsonl, and the sources are"
        f" {_sources(by_name)}"
    )


def _sources(by_name: dict[str, Table]) -> str:
    return ", ".join(sorted({str(table.source) for table in by_name.values()}))
