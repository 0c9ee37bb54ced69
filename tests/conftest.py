"""What all tests share: the parsed dbt project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from python_jobs.pipelines import parse_project
from tests.dbt_runs import PROJECT
from tests.lakes import Lake

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

SCENARIOS = PROJECT.parent / "shared" / "data" / "reference_scenarios"


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """The project, parsed once for all runs."""
    return parse_project(PROJECT, tmp_path_factory.mktemp("parse") / "plura.duckdb")


@pytest.fixture
def lake(tmp_path: Path, manifest: Manifest) -> Lake:
    """An empty warehouse."""
    return Lake(work=tmp_path, manifest=manifest)
