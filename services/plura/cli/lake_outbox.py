"""The outbox of each target, and who may publish from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plura.cli.lake_bronze import existing, is_spark
from plura.kit.settings import LakeSettings, SparkSettings
from python_jobs.publish import DuckDBOutbox, Outbox, SparkOutbox, sole_publisher
from python_jobs.warehouse import LakeError, plain_errors


@contextmanager
def outbox_of(settings: LakeSettings, wait: float) -> Iterator[Outbox]:
    """Give the outbox for the time of the block; a Spark warehouse of this machine is held as long."""
    if is_spark(settings):
        from plura.cli.lake_spark import spark_session

        with spark_session(settings, wait) as session:
            yield SparkOutbox(session)
    else:
        yield DuckDBOutbox(existing(settings), wait_seconds=wait)


@contextmanager
def one_publisher(settings: LakeSettings) -> Iterator[None]:
    """Keep other publishers of a warehouse of this machine away; on a cluster its scheduler has to do so.

    Raises:
        LakeError: another one is at work, or there is no warehouse.
    """
    if not is_spark(settings):
        with sole_publisher(existing(settings)):
            yield
    elif warehouse := local_spark_warehouse(settings):
        with plain_errors(warehouse):
            if not warehouse.exists():
                raise LakeError(f"there is no warehouse at {warehouse}: load data first (plura lake load DIR)")
        with sole_publisher(warehouse):
            yield
    else:
        yield


def local_spark_warehouse(settings: LakeSettings) -> Path | None:
    """Folder of the warehouse where the target is a Spark session of this machine, which lets one process in."""
    spark = SparkSettings()
    return settings.resolved(spark.warehouse) if is_spark(settings) and spark.is_local else None
