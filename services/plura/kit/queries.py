"""SQL in files: named statements, and migrations in the order of their numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import LiteralString, cast

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def read_queries(package: str, file: str) -> Mapping[str, LiteralString]:
    """Return the statements of a file, by the names in its lines ``-- name: …``.

    Raises:
        ValueError: two statements have one name.
    """
    parts = _NAME.split((files(package) / file).read_text(encoding="utf-8"))
    found: dict[str, LiteralString] = {}
    for name, text in zip(parts[1::2], parts[2::2], strict=True):
        if name in found:
            raise ValueError(f"{file}: two statements are called {name}")
        found[name] = cast("LiteralString", text.strip())  # our own files
    return found


def sql_files(package: str) -> list[Traversable]:
    """Return the ``.sql`` files of a package by name."""
    found = [one for one in files(package).iterdir() if one.name.endswith(".sql")]
    return sorted(found, key=lambda one: one.name)
