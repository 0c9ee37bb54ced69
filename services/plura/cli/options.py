"""Options and settings that several commands of ``plura lake`` share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from plura.kit.kafka import KafkaSettings
from plura.kit.lake_settings import EngineSettings, LakeSettings, SparkSettings
from plura.kit.service_settings import read_settings
from python_jobs.warehouse import LakeError

if TYPE_CHECKING:
    from python_jobs.lakes.lake import Lake
    from python_jobs.lakes.spark_lake import SparkLake
    from python_jobs.validate import Validator

Target = Annotated[str | None, typer.Option(help="dbt target to work on; default: PLURA_TARGET, else duckdb.")]
Validate = Annotated[bool, typer.Option(help="Check the new lines with Great Expectations first.")]
Wait = Annotated[float, typer.Option(help="Seconds to wait while another command holds the warehouse.", min=0)]


def lake_settings(target: str | None) -> LakeSettings:
    """Return the settings of a command.

    Raises:
        LakeError: there is no dbt project where the settings say.
        ServiceError: a setting is wrong.
        typer.BadParameter: the dbt profile has no such target.
    """
    from python_jobs.pipelines import known_targets

    settings = read_settings(LakeSettings)
    read_settings(EngineSettings)  # before dbt reads them
    if not (settings.project_dir / "dbt_project.yml").is_file():
        raise LakeError(f"there is no dbt project in {settings.project_dir}: name its folder with PLURA_PROJECT_DIR")
    if target:
        settings = settings.model_copy(update={"target": target})
    targets = known_targets(settings.project_dir)
    if settings.target not in targets:
        raise typer.BadParameter(
            f"unknown target {settings.target!r}: profiles/profiles.yml has {', '.join(targets)}", param_hint="--target"
        )
    return settings


def lake_of(settings: LakeSettings, wait: float) -> Lake:
    """Return the lake of a target; nothing is opened yet.

    Args:
        settings: the settings of the command.
        wait: seconds to wait while another command holds the warehouse.

    Raises:
        LakeError: no engine is known for the target.
    """
    from python_jobs.lakes.databricks_lake import DatabricksLake
    from python_jobs.lakes.duckdb_lake import DuckDBLake
    from python_jobs.lakes.lake import unavailable

    if settings.target == "duckdb":
        return DuckDBLake(project_dir=settings.project_dir, warehouse=settings.warehouse, wait_seconds=wait)
    if settings.target == "spark":
        return spark_lake(settings, wait)
    if settings.target == "databricks":
        return DatabricksLake(project_dir=settings.project_dir)
    raise unavailable(settings.target)


def spark_lake(settings: LakeSettings, wait: float) -> SparkLake:
    """Return the lake of target ``spark``; nothing is opened yet."""
    from python_jobs.lakes.spark_lake import SparkLake

    spark = read_settings(SparkSettings)
    return SparkLake(
        project_dir=settings.project_dir,
        warehouse=settings.resolved(spark.warehouse),
        is_local=spark.is_local,
        staging_dir=settings.resolved(spark.staging_dir) if spark.staging_dir else None,
        wait_seconds=wait,
    )


def validator_of(settings: LakeSettings, *, wanted: bool) -> Validator | None:
    """Return the check of new lines, which also writes Data Docs; None if it is not wanted."""
    if not wanted:
        return None
    from python_jobs.validate import Validator

    return Validator(project_dir=settings.project_dir, docs_dir=settings.resolved(settings.data_docs_dir))


def instant_of(text: str, option: str) -> datetime:
    """Return the instant that an option names; without an offset it is UTC.

    Raises:
        typer.BadParameter: it is not an instant in ISO 8601.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not an instant: write it as 2026-02-01T00:00:00Z", param_hint=option
        ) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def required_kafka() -> KafkaSettings:
    """Return where the brokers are and how to sign in.

    Raises:
        LakeError: no broker is named.
        ServiceError: a setting is wrong.
    """
    kafka = read_settings(KafkaSettings)
    if not kafka.bootstrap:
        raise LakeError("no Kafka is known: name its brokers with PLURA_KAFKA_BOOTSTRAP=host:port")
    return kafka
