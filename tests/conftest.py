"""What all tests share: the tiers they belong to, and the parsed dbt project."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.lakes import Lake, parsed_project

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest
    from xdist.remote import Producer

ON_ONE_SESSION = {
    "tests/integration/spark/": "spark",
    "tests/integration/databricks/": "databricks",
    "tests/integration/streaming/": "databricks",
    "tests/integration/test_outbox.py": "databricks",
}
"""Where tests share the Spark session of their process, and the group that stays in one process.

A session that has compiled what it runs is several times as fast as a new one, but a plan of Spark keeps one core
busy: two groups of about the same time are done sooner than one.
"""

TIERS = ("unit", "main", "spark")
"""Unit tests start no process, open no socket and do not use dbt. Everything else is main, but the long Spark part."""
LONG_ON_SPARK = {"twins", "endpoint", "delta", "own_spark_process"}
"""Fixtures of the tier spark. Tests that need a session alone are short and stay in the main tier."""
UNIT_TESTS = "tests/unit/"
OUTSIDE = {"subprocess.Popen", "os.fork", "os.posix_spawn", "socket.connect", "socket.bind"}
"""Audit events (PEP 578) of what a unit test may not do."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the choice of a tier."""
    parser.addoption("--tier", action="append", choices=TIERS, help="run the tests of this tier only; may be repeated")


def tier_of(item: pytest.Item) -> str:
    """Return the tier of a test, which follows from its folder and its fixtures."""
    if item.nodeid.startswith(UNIT_TESTS):
        return "unit"
    return "spark" if LONG_ON_SPARK & set(getattr(item, "fixturenames", ())) else "main"


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """One module after the other to whoever is free, but a group that needs a Spark session to one process."""

    def _split_scope(self, nodeid: str) -> str:
        for place, group in ON_ONE_SESSION.items():
            if nodeid.startswith(place):
                return group
        return str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Schedule as above."""
    return Scheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of the chosen tiers, and begin with the modules that may take longest.

    So no worker is left with a long one at the end.
    """
    tiers = config.getoption("tier") or TIERS
    left_out = [item for item in items if tier_of(item) not in tiers]
    items[:] = [item for item in items if tier_of(item) in tiers]
    config.hook.pytest_deselected(items=left_out)

    def seconds(item: pytest.Item) -> int:
        limit = item.get_closest_marker("timeout")
        return limit.args[0] if limit else 0

    longest: dict[str, int] = {}
    for item in items:
        module = item.nodeid.partition("::")[0]
        longest[module] = max(longest.get(module, 0), seconds(item))
    items.sort(key=lambda item: -longest[item.nodeid.partition("::")[0]])


_running_unit_test = ""


def _refuse_outside(event: str, _: Any) -> None:
    # threads of other tests' servers are none of its business
    if _running_unit_test and event in OUTSIDE and threading.current_thread() is threading.main_thread():
        raise AssertionError(f"{_running_unit_test} is a unit test and may not do this: {event}")


sys.addaudithook(_refuse_outside)


def _guarded(item: pytest.Item) -> Iterator[None]:
    """Let a unit test fail that starts a process or opens a socket.

    What follows the last test of a process, the end of the servers that other tests share, belongs to none.
    """
    global _running_unit_test  # noqa: PLW0603  # an audit hook has no other way to know
    _running_unit_test = item.nodeid if tier_of(item) == "unit" else ""
    try:
        return (yield)
    finally:
        _running_unit_test = ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Guard the fixtures of a unit test."""
    return (yield from _guarded(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Guard a unit test itself."""
    return (yield from _guarded(item))


@pytest.fixture(scope="session", autouse=True)
def _dbt_artifacts(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep dbt's artifacts and logs of the tests out of the project, and those of parallel tests apart."""
    folder = tmp_path_factory.mktemp("dbt")
    os.environ["DBT_TARGET_PATH"] = str(folder / "target")
    os.environ["DBT_LOG_PATH"] = str(folder / "logs")


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """The project, parsed once for all runs."""
    return parsed_project(tmp_path_factory.mktemp("parse") / "plura.duckdb")


@pytest.fixture
def lake(tmp_path: Path, manifest: Manifest) -> Lake:
    """An empty warehouse."""
    return Lake(work=tmp_path, manifest=manifest)
