"""The lake on Delta Lake does what every lake does."""

from __future__ import annotations

from pathlib import Path

import pytest

from python_jobs.lakes.lake import Lake
from python_jobs.lakes.spark_lake import SparkLake
from python_jobs.load.delta import DeltaBronze
from tests.dbt_runs import PROJECT
from tests.lake_suite import LakeSuite


class TestSparkLake(LakeSuite):
    @pytest.fixture
    def lake(self, delta: DeltaBronze, spark_warehouse: Path, tmp_path: Path) -> Lake:
        """A lake in the session of this process, which nobody has to be kept out of."""
        assert delta.session is not None
        return SparkLake(
            project_dir=PROJECT, warehouse=spark_warehouse, is_local=False, staging_dir=tmp_path / "staging"
        )
