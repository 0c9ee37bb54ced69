"""Runs dbt inside the tests, on a copy of the settings, without touching the project's own target and log folders."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent


@contextmanager
def dbt_settings(project: Path, warehouse: Path) -> Iterator[None]:
    """Stand in the project with the profile pointed at a DuckDB file, and close dbt's connection afterwards."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    folder, before = Path.cwd(), os.environ.get("PLURA_DUCKDB_PATH")
    os.environ["PLURA_DUCKDB_PATH"] = str(warehouse)
    os.chdir(project)
    try:
        yield
    finally:
        os.chdir(folder)
        DuckDBConnectionManager.close_all_connections()
        if before is None:
            del os.environ["PLURA_DUCKDB_PATH"]
        else:
            os.environ["PLURA_DUCKDB_PATH"] = before


def invoke_dbt(arguments: Sequence[str], *, work: Path, project: Path = PROJECT, warehouse: Path | None = None) -> Any:
    """Run one dbt command and return the result of dbtRunner.

    ``work`` takes dbt's artifacts and logs, and the warehouse when none is named.
    """
    from dbt.cli.main import dbtRunner

    with dbt_settings(project, warehouse or work / "warehouse.duckdb"):
        if not (project / "dbt_packages").exists():
            installed = dbtRunner().invoke(["deps", "--log-path", str(work / "logs"), "--log-level", "none"])
            assert installed.success, installed.exception
        return dbtRunner().invoke(
            [
                *arguments,
                "--profiles-dir",
                str(PROJECT / "profiles"),
                "--target-path",
                str(work / "target"),
                "--log-path",
                str(work / "logs"),
                "--log-level",
                "none",
            ]
        )


def parse_project(work: Path, arguments: Sequence[str] = ()) -> dict[str, Any]:
    """Parse the project and return its manifest as it stands in manifest.json."""
    result = invoke_dbt(["parse", "--no-partial-parse", *arguments], work=work)
    assert result.success, result.exception
    manifest: dict[str, Any] = json.loads((work / "target" / "manifest.json").read_text(encoding="utf-8"))
    return manifest
