"""The Spark branch of ``plura lake``: the session, the lock of its warehouse, and Bronze on Delta."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from plura.kit.settings import LakeSettings, SparkSettings
from python_jobs.load.delta import DeltaBronze
from python_jobs.spark import open_session, plain_spark_errors
from python_jobs.warehouse import LakeError, warehouse_lock

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@contextmanager
def spark_session(settings: LakeSettings, wait: float) -> Iterator[SparkSession]:
    """Hold the session of target ``spark`` for the time of the block.

    A warehouse on this machine is locked, because its catalog lets one process in. On a cluster commands may run at
    once: the protocol of the batches keeps them apart.

    Raises:
        LakeError: Spark does not start, or another command holds the warehouse; or Spark fails in the block.
    """
    logging.getLogger("py4j").setLevel(logging.CRITICAL)  # what fails is said in one line
    spark = SparkSettings()
    warehouse = settings.resolved(spark.warehouse)
    lock = warehouse_lock(warehouse, wait_seconds=wait, is_duckdb=False) if spark.is_local else nullcontext()
    with lock:
        with _stderr_in(warehouse.with_name(warehouse.name + ".log") if spark.is_local else None):
            session = open_session(settings.project_dir, warehouse=warehouse if spark.is_local else None)
        with plain_spark_errors():
            yield session


@contextmanager
def delta_bronze(settings: LakeSettings, wait: float) -> Iterator[DeltaBronze]:
    """Hold Bronze on Delta, its tables made, for the time of the block."""
    from python_jobs.contracts import read_contracts

    with spark_session(settings, wait) as session:
        bronze = DeltaBronze(session, read_contracts(settings.project_dir))
        bronze.create_tables()
        yield bronze


def staging(settings: LakeSettings) -> Path | None:
    """Folder for Parquet files on their way to the executors; None on this machine."""
    spark = SparkSettings()
    if spark.staging_dir is not None:
        return settings.resolved(spark.staging_dir)
    if not spark.is_local:
        raise LakeError(
            "name a folder with PLURA_SPARK_STAGING_DIR that this machine writes and the executors of the cluster read"
        )
    return None


@contextmanager
def _stderr_in(file: Path | None) -> Iterator[None]:
    """Let programs started in the block write their messages to a file: stderr is for what the command has to say.

    Java keeps the file as its stderr for as long as it lives.
    """
    if file is None:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    ours = os.dup(2)
    with file.open("ab") as log:
        os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(ours, 2)
        os.close(ours)
