"""The lake on Delta Lake, in a Spark session of this machine or of a cluster."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from python_jobs.contracts import read_contracts
from python_jobs.lakes.lake import StatusChange, require_warehouse
from python_jobs.report import Reader, SparkReader
from python_jobs.spark import open_session, plain_spark_errors
from python_jobs.warehouse import LakeError, warehouse_lock

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from python_jobs.load import Batch, LoadReport
    from python_jobs.load.delta import DeltaBronze
    from python_jobs.load.replace import ReplaceReport
    from python_jobs.pipelines import RunRequest, RunResult
    from python_jobs.progress import Progress
    from python_jobs.publish import Outbox
    from python_jobs.retention import RetentionReport
    from python_jobs.validate import Validator


@dataclass(frozen=True, kw_only=True)
class SparkLake:
    """A lake on Delta Lake.

    Attributes:
        project_dir: the dbt project.
        warehouse: folder of the tables and the catalog, where they are of this machine.
        is_local: whether session, catalog and tables are of this machine. Its catalog lets one process in, so that
            every method locks the warehouse. On a cluster commands may run at once: the protocol of the batches keeps
            them apart.
        staging_dir: folder for Parquet files on their way to the executors; not needed on this machine.
        wait_seconds: how long to wait while another command holds the warehouse.
        target: target of the dbt profile.
    """

    project_dir: Path
    warehouse: Path
    is_local: bool
    staging_dir: Path | None = None
    wait_seconds: float = 0
    target: str = "spark"

    @property
    def publisher_is_exclusive(self) -> bool:
        """Whether an open outbox keeps loads and runs out: the catalog of this machine lets one process in."""
        return self.is_local

    @contextmanager
    def session(self) -> Iterator[SparkSession]:
        """Hold the Spark session for the time of the block.

        Raises:
            LakeError: Spark does not start, or another command holds the warehouse; or Spark fails in the block.
        """
        logging.getLogger("py4j").setLevel(logging.CRITICAL)  # a failure is reported in one line
        local = self.warehouse if self.is_local else None
        lock = warehouse_lock(local, wait_seconds=self.wait_seconds, is_duckdb=False) if local else nullcontext()
        with lock:
            with stderr_in(local.with_name(local.name + ".log") if local else None):
                session = open_session(self.project_dir, warehouse=local)
            with plain_spark_errors():
                yield session

    @contextmanager
    def bronze(self) -> Iterator[DeltaBronze]:
        """Hold Bronze, its tables created, for the time of the block."""
        from python_jobs.load.delta import DeltaBronze

        with self.session() as session:
            bronze = DeltaBronze(session, read_contracts(self.project_dir))
            bronze.create_tables()
            yield bronze

    def staging(self) -> Path | None:
        """Return the folder for Parquet files on their way to the executors; None for a temporary one.

        Raises:
            LakeError: the session is of a cluster and no folder is named.
        """
        if self.staging_dir is None and not self.is_local:
            raise LakeError(
                "name a folder with PLURA_SPARK_STAGING_DIR that this machine writes and the executors of the cluster"
                " read"
            )
        return self.staging_dir

    def load(
        self,
        folder: Path,
        *,
        now: datetime,
        extracted_at: datetime | None = None,
        validator: Validator | None = None,
        progress: Progress | None = None,
    ) -> LoadReport:
        """Load a folder of JSON lines into Bronze."""
        from python_jobs.load.delta_folder import load_folder_into_delta

        with self.session() as session:
            return load_folder_into_delta(
                session,
                project_dir=self.project_dir,
                folder=folder,
                now=now,
                staging=self.staging(),
                extracted_at=extracted_at,
                validator=validator,
                progress=progress,
            )

    def batches(self) -> Sequence[Batch]:
        """Return all batches in the order they were first loaded."""
        with self.bronze() as bronze:
            return bronze.batches()

    def set_status(self, ids: Sequence[str], status: str, *, reason: str, now: datetime) -> StatusChange:
        """Withdraw batches or reinstate them in one commit."""
        from python_jobs.load.days import days_of_batches

        with self.bronze() as bronze:
            changed = bronze.set_status(ids, status, reason=reason, now=now)
            days = days_of_batches(SparkReader(bronze.session), bronze.tables, changed)
            return StatusChange(batches=changed, days=days)

    def replace(
        self,
        batch_id: str,
        file: Path,
        *,
        reason: str,
        now: datetime,
        extracted_at: datetime | None = None,
        validator: Validator | None = None,
        progress: Progress | None = None,
    ) -> ReplaceReport:
        """Withdraw a batch and load a file in its place."""
        from python_jobs.load.delta_folder import replace_batch_in_delta

        with self.session() as session:
            return replace_batch_in_delta(
                session,
                project_dir=self.project_dir,
                batch_id=batch_id,
                file=file,
                reason=reason,
                now=now,
                staging=self.staging(),
                extracted_at=extracted_at,
                validator=validator,
                progress=progress,
            )

    def run(self, request: RunRequest, progress: Progress | None = None) -> RunResult:
        """Run pipelines in the session.

        Raises:
            LakeError: nothing was loaded yet.
        """
        from python_jobs.pipelines import run_pipelines
        from python_jobs.report import run_summary

        with self.session() as session:
            if not session.catalog.databaseExists("bronze"):
                raise LakeError(f"there is no Bronze on target {self.target}: load data first (plura lake load DIR)")
            reader = SparkReader(session)
            result = run_pipelines(request, progress=progress, reader=lambda: nullcontext(reader))
            return replace(result, summary=tuple(run_summary(reader, result.run_id)))

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """Open the session for queries."""
        with self.session() as session:
            yield SparkReader(session)

    def retention(self, *, now: datetime, apply: bool, bad_records_days: int, dq_status_days: int) -> RetentionReport:
        """Count rows past their retention, or remove them, one commit per table."""
        from python_jobs.retention_spark import retention_on_spark

        with self.session() as session:
            return retention_on_spark(
                session, now=now, apply=apply, bad_records_days=bad_records_days, dq_status_days=dq_status_days
            )

    @contextmanager
    def outbox(self) -> Iterator[Outbox]:
        """Give the outbox; a warehouse of this machine is held until the end of the block."""
        from python_jobs.publish import SparkOutbox

        with self.session() as session:
            yield SparkOutbox(session)

    @contextmanager
    def sole_publisher(self) -> Iterator[None]:
        """Keep other publishers of a warehouse of this machine out."""
        from python_jobs.publish import sole_publisher

        with sole_publisher(require_warehouse(self.warehouse)) if self.is_local else nullcontext():
            yield

    def outbox_version(self) -> str | None:
        """Return the newest commit of the outbox, from the files of a warehouse of this machine."""
        from python_jobs.publish import version_on_disk

        return version_on_disk(self.warehouse)


@contextmanager
def stderr_in(file: Path | None) -> Iterator[None]:
    """Let programs started in the block write their messages to a file: stderr is for the messages of the command.

    Java keeps the file as its stderr until it ends.
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
