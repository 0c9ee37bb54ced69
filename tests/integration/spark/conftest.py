"""Lakes on DuckDB and on Spark for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from python_jobs.contracts import read_contracts
from python_jobs.load.delta import DeltaBronze
from tests.dbt_runs import PROJECT
from tests.lakes import Lake, parsed_project
from tests.spark import Twins

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def spark_manifest(spark_warehouse: Path, spark_session: SparkSession) -> Manifest:
    """The project parsed for Spark."""
    assert spark_session is not None
    return parsed_project(spark_warehouse, "spark")


@pytest.fixture(scope="module")
def twins(
    tmp_path_factory: pytest.TempPathFactory,
    manifest: Manifest,
    spark_session: SparkSession,
    spark_warehouse: Path,
    spark_manifest: Manifest,
) -> Iterator[Twins]:
    """Two empty lakes."""
    pair = Twins(
        lake=Lake(work=tmp_path_factory.mktemp("twins"), manifest=manifest, checks=False),
        session=spark_session,
        manifest=spark_manifest,
        folder=spark_warehouse,
    )
    pair.start_over()
    yield pair
    pair.start_over()


@pytest.fixture
def delta(spark_session: SparkSession) -> Iterator[DeltaBronze]:
    """Bronze on Delta without a table."""
    spark_session.sql("drop schema if exists bronze cascade")
    yield DeltaBronze(spark_session, read_contracts(PROJECT))
    spark_session.sql("drop schema if exists bronze cascade")
