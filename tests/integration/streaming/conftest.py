"""A broker and Bronze on Delta for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from python_jobs.contracts import read_contracts
from python_jobs.load.delta import DeltaBronze
from tests.dbt_runs import PROJECT
from tests.kafka import broker  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="module")
def delta(spark_session: SparkSession) -> Iterator[DeltaBronze]:
    """Bronze in the session of this process; each test has topics and batches of its own."""
    spark_session.sql("drop schema if exists bronze cascade")
    bronze = DeltaBronze(spark_session, read_contracts(PROJECT))
    bronze.create_tables()
    yield bronze
    spark_session.sql("drop schema if exists bronze cascade")
