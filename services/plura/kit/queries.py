"""SQL in files: named statements, and migrations in the order of their numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import LiteralString, cast

_HEADER = re.compile(r"^-- (name|fragment): (\w+)$", re.MULTILINE)


def read_queries(package: str, file: str) -> Mapping[str, LiteralString]:
    """Return the statements of a file, by the names in its lines ``-- name: …``.

    Text under ``-- fragment: …`` is no statement: fragments and statements below it include it as ``{…}``.

    Raises:
        ValueError: two statements or fragments have the same name.
    """
    _, *parts = _HEADER.split((files(package) / file).read_text(encoding="utf-8"))
    texts: dict[str, str] = {}
    fragments: dict[str, str] = {}
    for kind, name, text in zip(parts[0::3], parts[1::3], parts[2::3], strict=True):
        if name in texts or name in fragments:
            raise ValueError(f"{file}: two statements are called {name}")
        for fragment, content in fragments.items():
            text = text.replace(f"{{{fragment}}}", content)  # noqa: PLW2901  # the text with its fragments
        (texts if kind == "name" else fragments)[name] = text.strip()
    return cast("Mapping[str, LiteralString]", texts)  # our own files


def sql_files(package: str) -> list[Traversable]:
    """Return the ``.sql`` files of a package by name."""
    found = [file for file in files(package).iterdir() if file.name.endswith(".sql")]
    return sorted(found, key=lambda file: file.name)
