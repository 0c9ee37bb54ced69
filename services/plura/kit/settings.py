"""Settings of the processes, read once at the entry point and passed on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveInt, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_DIR = Path(__file__).resolve().parents[3]


class LakeSettings(BaseSettings):
    """Settings of the lake, from environment variables with the prefix ``PLURA_``."""

    model_config = SettingsConfigDict(env_prefix="PLURA_", frozen=True)

    project_dir: Path = Field(default=PROJECT_DIR, description="Folder of the dbt project.")
    duckdb_path: Path = Field(default=Path("data/plura.duckdb"), description="DuckDB file of the warehouse.")
    target: str = Field(default="duckdb", description="dbt target that commands use unless told otherwise.")
    data_docs_dir: Path = Field(
        default=Path("data/data_docs"), description="Folder of the Data Docs of loaded batches."
    )

    eventhub_url: str | None = Field(default=None, description="Address of the EventHub that exceptions are told to.")
    eventhub_token: SecretStr | None = Field(default=None, description="Bearer token for that address.")
    eventhub_topic: str = Field(default="ops.ingest.v1", description="Kafka topic the EventHub takes events from.")

    def resolved(self, path: Path) -> Path:
        """Return ``path``, taken from the project folder when it is relative."""
        return path if path.is_absolute() else self.project_dir / path

    @property
    def warehouse(self) -> Path:
        """Absolute path of the DuckDB file."""
        return self.resolved(self.duckdb_path)


class SparkSettings(BaseSettings):
    """Where target ``spark`` runs, from environment variables with the prefix ``PLURA_SPARK_``.

    The dbt profile reads the same variables.
    """

    model_config = SettingsConfigDict(env_prefix="PLURA_SPARK_", frozen=True)

    warehouse: Path = Field(default=Path("data/spark"), description="Folder of the tables and the catalog.")
    master: str = Field(default="local[*]", description="Master of the session.")
    remote: str = Field(default="", description="Address of a Spark Connect server, sc://host:port.")
    staging_dir: Path | None = Field(default=None, description="Folder that this machine writes and executors read.")
    checkpoint_dir: str = Field(
        default="data/checkpoints", description="Folder of the streams' progress, or its address on a cluster."
    )

    @property
    def is_local(self) -> bool:
        """Whether session, catalog and tables are of this machine."""
        return not self.remote and self.master.startswith("local")


class EngineSettings(BaseSettings):
    """Settings that only the dbt profile and project read, checked here because the engines take wrong ones oddly.

    DuckDB takes a negative limit of memory for none at all, and the others fail long after the start.
    """

    model_config = SettingsConfigDict(env_prefix="PLURA_", frozen=True)

    duckdb_memory: str = Field(
        default="3GiB", pattern=r"^\d+(\.\d+)? ?([KMGTkmgt][iI]?[bB]|%)$", description="Memory of DuckDB in runs."
    )
    spark_memory: str = Field(default="3g", pattern=r"^[1-9]\d*[kmgtKMGT]$", description="Memory of the Spark driver.")
    spark_partitions: PositiveInt = Field(default=8, description="Partitions that Spark shuffles into.")
    spark_collector: Literal["Serial", "Parallel", "G1", "Z"] = Field(
        default="Serial", description="Garbage collector of a local session; Serial suits few cores."
    )
    spark_threads: PositiveInt = Field(default=4, description="Models and tests that run at once on Spark.")
    spark_catalog: Literal["hive", "in-memory"] = Field(default="hive", description="Catalog of a local session.")
    databricks_threads: PositiveInt = Field(default=4, description="Models that run at once on Databricks.")
    python_submission: Literal["serverless_cluster", "job_cluster"] = Field(
        default="serverless_cluster", description="Where Python models run on Databricks."
    )
