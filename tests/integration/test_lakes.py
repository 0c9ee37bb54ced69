"""The lake in DuckDB and its twin in memory do the same; Databricks says what it does not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from python_jobs.lakes.databricks_lake import DatabricksLake
from python_jobs.lakes.duckdb_lake import DuckDBLake
from python_jobs.lakes.lake import Lake
from python_jobs.lakes.memory_lake import MemoryLake
from python_jobs.warehouse import LakeError
from tests.dbt_runs import PROJECT
from tests.lake_suite import LakeSuite
from tests.loads import NOW


class TestMemoryLake(LakeSuite):
    @pytest.fixture
    def lake(self) -> Lake:
        return MemoryLake(project_dir=PROJECT)


class TestDuckDBLake(LakeSuite):
    @pytest.fixture
    def lake(self, tmp_path: Path) -> Lake:
        return DuckDBLake(project_dir=PROJECT, warehouse=tmp_path / "plura.duckdb")


def test_databricks_has_one_message_for_what_it_does_not_support(tmp_path: Path) -> None:
    lake: Lake = DatabricksLake(project_dir=PROJECT)
    message = "this command does not reach target databricks: run it in a job there, with --target spark"
    for call in (
        lambda: lake.load(tmp_path, now=NOW),
        lake.batches,
        lambda: lake.set_status(["ab"], "withdrawn", reason="r", now=NOW),
        lambda: lake.replace("ab", tmp_path, reason="r", now=NOW),
        lambda: lake.retention(now=NOW, apply=False, bad_records_days=1, dq_status_days=1),
        lake.outbox,
        lake.sole_publisher,
        lake.outbox_version,
    ):
        with pytest.raises(LakeError) as error:
            call()
        assert str(error.value) == message
