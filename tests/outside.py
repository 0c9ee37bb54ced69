"""The reference's own scenario files, which may lie beside this repository and are no part of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dbt_runs import PROJECT

REFERENCE = PROJECT.parent / "shared" / "data" / "reference_scenarios"
NOT_THERE = "the reference's files are not beside this repository; its situations are tested with lines of our own"


def reference_scenarios() -> list[str]:
    """Names of the scenarios that are there."""
    return sorted(path.name for path in REFERENCE.iterdir() if path.is_dir()) if REFERENCE.is_dir() else []


def reference_folder() -> Path:
    """Folder of the files; skips the test where there is none, also where every other test must run."""
    if not REFERENCE.is_dir():
        pytest.skip(NOT_THERE)
    return REFERENCE


def reference_files(name: str) -> dict[str, list[str]]:
    """Lines of a scenario by source; skips the test where there are none."""
    folder = reference_folder() / name
    return {file.stem: file.read_text(encoding="utf-8").splitlines() for file in sorted(folder.glob("*.jsonl"))}
