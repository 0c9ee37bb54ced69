"""Settings of the lake and of its engines, read once at the entry point and passed on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveInt, SecretStr
from pydantic_settings import SettingsConfigDict

from plura.kit.service_settings import ServiceSettings

PROJECT_DIR = Path(__file__).resolve().parents[3]


class LakeSettings(ServiceSettings):
    """Settings of the lake, from environment variables with the prefix ``PLURA_``."""

    project_dir: Path = Field(default=PROJECT_DIR, description="Folder of the dbt project.")
    duckdb_path: Path = Field(default=Path("data/plura.duckdb"), description="DuckDB file of the warehouse.")
    target: str = Field(default="duckdb", description="dbt target that commands use without `--target`.")
    data_docs_dir: Path = Field(
        default=Path("data/data_docs"), description="Folder of the Data Docs of loaded batches."
    )

    eventhub_url: str | None = Field(
        default=None, description="Address of the EventHub that gets the events of CRITICAL exceptions."
    )
    eventhub_token: SecretStr | None = Field(default=None, description="Bearer token for that address.")
    eventhub_topic: str = Field(default="ops.ingest.v1", description="Kafka topic that the EventHub reads.")
    stream_topics: str = Field(
        default="", description="Topics of `plura lake stream`, comma separated; blank: all known ones that exist."
    )

    def resolved(self, path: Path) -> Path:
        """Return ``path``, taken from the project folder when it is relative."""
        return path if path.is_absolute() else self.project_dir / path

    @property
    def warehouse(self) -> Path:
        """Absolute path of the DuckDB file."""
        return self.resolved(self.duckdb_path)


class SparkSettings(ServiceSettings):
    """Where target ``spark`` runs, from environment variables with the prefix ``PLURA_SPARK_``.

    The dbt profile reads the same variables.
    """

    model_config = SettingsConfigDict(env_prefix="PLURA_SPARK_")

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


class EngineSettings(ServiceSettings):
    """Settings that only the dbt profile, project and macros read, checked before dbt starts.

    DuckDB takes a negative limit of memory for none at all, and the others fail long after the start. The defaults are
    those of dbt's ``env_var``.
    """

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
    spark_packages: str = Field(
        default="io.delta:delta-spark_4.2_2.13:4.4.0,org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0",
        description="Maven coordinates of the jars of Delta Lake and of the Kafka source.",
    )
    databricks_catalog: str = Field(default="plura", description="Unity Catalog of the lake.")
    databricks_ca_file: str = Field(
        default="", description="PEM file of the authority that signed the workspace; blank: the system's."
    )
    databricks_threads: PositiveInt = Field(default=4, description="Models that run at once on Databricks.")
    python_submission: Literal["serverless_cluster", "job_cluster"] = Field(
        default="serverless_cluster", description="Where Python models run on Databricks."
    )
    python_cluster: str = Field(default="{}", description="JSON of the job cluster of Python models.")
    python_wheel: str = Field(default="", description="Path of the wheel of this project for Python models.")
    salt_scope: str = Field(default="plura", description="Secret scope of the salt on Databricks.")
    salt_key: str = Field(default="anon_user_key_salt", description="Name of the secret in that scope.")
    controls_group: str = Field(default="", description="Group that may read Silver and the controls.")
    analysts_group: str = Field(default="", description="Group that may read the analytics tables.")
    region: str = Field(default="kr", description="Region in the events of exceptions.")
