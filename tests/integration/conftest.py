"""Warehouses that the tests of one module share, and the one Spark session of all tests of the process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.lakes import Lake
from tests.spark import start_session

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest
    from pyspark.sql import SparkSession


@pytest.fixture(scope="module")
def new_lake(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Callable[..., Lake]:
    """Builds an empty warehouse; options are fields of Lake."""

    def build(**options: Any) -> Lake:
        return Lake(work=tmp_path_factory.mktemp("lake"), manifest=manifest, **options)

    return build


@pytest.fixture(scope="session")
def spark_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tables on Spark lie."""
    return tmp_path_factory.mktemp("spark")


@pytest.fixture(scope="session")
def spark_session(spark_warehouse: Path) -> SparkSession:
    """The session; it ends with the process."""
    return start_session(spark_warehouse)
