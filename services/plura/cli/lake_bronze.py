"""What the commands about batches do on each engine: DuckDB in a file, or Delta Lake in a Spark session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from plura.cli.console import progress_bar
from plura.kit.settings import LakeSettings, SparkSettings
from python_jobs.report import DuckDBReader, Reader, SparkReader
from python_jobs.warehouse import LakeError, open_duckdb, plain_errors, warehouse_lock

if TYPE_CHECKING:
    from python_jobs.load import Batch, LoadReport
    from python_jobs.load.replace import ReplaceReport
    from python_jobs.retention import RetentionReport
    from python_jobs.validate import Validator


def load(
    settings: LakeSettings, folder: Path, extracted_at: datetime | None, validator: Validator | None, wait: float
) -> LoadReport:
    """Load a folder into Bronze, with a progress bar."""
    now = datetime.now(UTC)
    if is_spark(settings):
        from plura.cli.lake_spark import spark_session, staging
        from python_jobs.load.delta_folder import load_folder_into_delta

        with spark_session(settings, wait) as session, progress_bar("load") as advance:
            return load_folder_into_delta(
                session,
                project_dir=settings.project_dir,
                folder=folder,
                now=now,
                staging=staging(settings),
                extracted_at=extracted_at,
                validator=validator,
                progress=advance,
            )
    from python_jobs.load import load_folder

    with warehouse_lock(settings.warehouse, wait_seconds=wait), progress_bar("load") as advance:
        return load_folder(
            project_dir=settings.project_dir,
            warehouse=settings.warehouse,
            folder=folder,
            now=now,
            extracted_at=extracted_at,
            validator=validator,
            progress=advance,
        )


def batches(settings: LakeSettings, wait: float) -> list[Batch]:
    """Return all batches in the order they were first loaded."""
    if is_spark(settings):
        from plura.cli.lake_spark import delta_bronze

        with delta_bronze(settings, wait) as bronze:
            return list(bronze.batches())
    from python_jobs.load import list_batches

    with open_duckdb(settings.warehouse, read_only=True, wait_seconds=wait) as connection:
        return list_batches(connection)


def set_status(
    settings: LakeSettings, ids: list[str], status: str, reason: str, wait: float
) -> tuple[list[Batch], set[date]]:
    """Withdraw batches or reinstate them, all or none; return them and the KST days of their lines."""
    from python_jobs.load.touched import touched_days

    now = datetime.now(UTC)
    if is_spark(settings):
        from plura.cli.lake_spark import delta_bronze

        with delta_bronze(settings, wait) as bronze:
            changed = bronze.set_status(ids, status, reason=reason, now=now)
            return changed, touched_days(SparkReader(bronze.session), bronze.tables, changed)
    from python_jobs.contracts import read_contracts
    from python_jobs.load import set_batch_status

    with warehouse_lock(existing(settings), wait_seconds=wait), open_duckdb(settings.warehouse) as connection:
        connection.begin()
        changed = [set_batch_status(connection, one, status, reason=reason, now=now) for one in ids]
        connection.commit()
        return changed, touched_days(DuckDBReader(connection), read_contracts(settings.project_dir), changed)


def replace(
    settings: LakeSettings,
    batch_id: str,
    file: Path,
    *,
    reason: str,
    extracted_at: datetime | None,
    validator: Validator | None,
    wait: float,
) -> ReplaceReport:
    """Withdraw a batch and load a file in its place, with a progress bar."""
    now = datetime.now(UTC)
    if is_spark(settings):
        from plura.cli.lake_spark import spark_session, staging
        from python_jobs.load.delta_folder import replace_batch_in_delta

        with spark_session(settings, wait) as session, progress_bar("replace") as advance:
            return replace_batch_in_delta(
                session,
                project_dir=settings.project_dir,
                batch_id=batch_id,
                file=file,
                reason=reason,
                now=now,
                staging=staging(settings),
                extracted_at=extracted_at,
                validator=validator,
                progress=advance,
            )
    from python_jobs.load.replace import replace_batch

    with warehouse_lock(existing(settings), wait_seconds=wait), progress_bar("replace") as advance:
        return replace_batch(
            project_dir=settings.project_dir,
            warehouse=settings.warehouse,
            batch_id=batch_id,
            file=file,
            reason=reason,
            now=now,
            extracted_at=extracted_at,
            validator=validator,
            progress=advance,
        )


def retention(
    settings: LakeSettings, *, apply: bool, bad_records_days: int, dq_status_days: int, wait: float
) -> RetentionReport:
    """Count rows past their retention, or remove them."""
    now = datetime.now(UTC)
    if is_spark(settings):
        from plura.cli.lake_spark import spark_session
        from python_jobs.retention_spark import retention_on_spark

        with spark_session(settings, wait) as session:
            return retention_on_spark(
                session, now=now, apply=apply, bad_records_days=bad_records_days, dq_status_days=dq_status_days
            )
    from python_jobs.retention import retention as remove

    with (
        warehouse_lock(existing(settings), wait_seconds=wait),
        open_duckdb(settings.warehouse, read_only=not apply) as connection,
    ):
        return remove(
            connection, now=now, apply=apply, bad_records_days=bad_records_days, dq_status_days=dq_status_days
        )


@dataclass(frozen=True, kw_only=True)
class PlaceOfRun:
    """A warehouse that is held for a run, and what opens it to be read after the run, while it is still held."""

    warehouse: Path
    reader: Callable[[], AbstractContextManager[Reader]]


@contextmanager
def place_of_run(settings: LakeSettings, wait: float) -> Iterator[PlaceOfRun]:
    """Hold the warehouse for the time of a run; Databricks is not held from here, its jobs run one at a time."""
    if settings.target == "databricks":
        from python_jobs.databricks import open_warehouse

        with open_warehouse(settings.project_dir) as warehouse_reader:
            yield PlaceOfRun(warehouse=settings.warehouse, reader=lambda: nullcontext(warehouse_reader))
    elif is_spark(settings):
        from plura.cli.lake_spark import spark_session

        with spark_session(settings, wait) as session:
            if not session.catalog.databaseExists("bronze"):
                raise LakeError("there is no Bronze on target spark: load data first (plura lake load DIR)")
            warehouse = settings.resolved(SparkSettings().warehouse)
            yield PlaceOfRun(warehouse=warehouse, reader=lambda: nullcontext(SparkReader(session)))
    else:
        with warehouse_lock(existing(settings), wait_seconds=wait):
            yield PlaceOfRun(warehouse=settings.warehouse, reader=lambda: reader(settings, wait))


@contextmanager
def reader(settings: LakeSettings, wait: float) -> Iterator[Reader]:
    """Give what reads the warehouse, for the time of the block."""
    if settings.target == "databricks":
        from python_jobs.databricks import open_warehouse

        with open_warehouse(settings.project_dir) as warehouse_reader:
            yield warehouse_reader
    elif is_spark(settings):
        from plura.cli.lake_spark import spark_session

        with spark_session(settings, wait) as session:
            yield SparkReader(session)
    else:
        with open_duckdb(settings.warehouse, read_only=True, wait_seconds=wait) as connection:
            yield DuckDBReader(connection)


def existing(settings: LakeSettings) -> Path:
    """The DuckDB warehouse, which must be there; no folder and no lock is made for one that is not."""
    with plain_errors(settings.warehouse):
        if not settings.warehouse.exists():
            raise LakeError(f"there is no warehouse at {settings.warehouse}: load data first (plura lake load DIR)")
    return settings.warehouse


def is_spark(settings: LakeSettings) -> bool:
    """Whether the command works on Spark.

    Raises:
        LakeError: the target is of an engine into which this command cannot write from here.
    """
    if settings.target not in {"duckdb", "spark"}:
        raise LakeError(
            f"this command does not reach target {settings.target}: run it in a job there, with --target spark"
        )
    return settings.target == "spark"
