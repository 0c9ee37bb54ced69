"""What all tests share: the parsed dbt project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling

from python_jobs.pipelines import parse_project
from tests.dbt_runs import PROJECT
from tests.lakes import Lake

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest
    from xdist.remote import Producer

ON_ONE_SESSION = tuple(
    f"tests/integration/{place}" for place in ("databricks/", "spark/", "streaming/", "test_outbox.py")
)
"""Where tests share the Spark session of their process."""


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """One module after the other to whoever is free, but all that need a Spark session to one process.

    A session that has compiled what it runs is several times as fast as a new one.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "spark" if nodeid.startswith(ON_ONE_SESSION) else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Schedule as above."""
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the modules that may take longest, so that no worker is left with one at the end."""

    def seconds(item: pytest.Item) -> int:
        limit = item.get_closest_marker("timeout")
        return limit.args[0] if limit else 0

    longest: dict[str, int] = {}
    for item in items:
        module = item.nodeid.partition("::")[0]
        longest[module] = max(longest.get(module, 0), seconds(item))
    items.sort(key=lambda item: -longest[item.nodeid.partition("::")[0]])


@pytest.fixture(scope="session", autouse=True)
def _dbt_artifacts(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep dbt's artifacts and logs of the tests out of the project, and those of parallel tests apart."""
    folder = tmp_path_factory.mktemp("dbt")
    os.environ["DBT_TARGET_PATH"] = str(folder / "target")
    os.environ["DBT_LOG_PATH"] = str(folder / "logs")


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """The project, parsed once for all runs."""
    return parse_project(PROJECT, tmp_path_factory.mktemp("parse") / "plura.duckdb")


@pytest.fixture
def lake(tmp_path: Path, manifest: Manifest) -> Lake:
    """An empty warehouse."""
    return Lake(work=tmp_path, manifest=manifest)
