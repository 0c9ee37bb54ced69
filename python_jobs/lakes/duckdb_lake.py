"""The lake in a DuckDB file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from python_jobs.contracts import read_contracts
from python_jobs.lakes.lake import StatusChange, require_warehouse
from python_jobs.report import DuckDBReader, Reader
from python_jobs.warehouse import open_duckdb, warehouse_lock

if TYPE_CHECKING:
    from python_jobs.load import Batch, LoadReport
    from python_jobs.load.replace import ReplaceReport
    from python_jobs.pipelines import RunRequest, RunResult
    from python_jobs.progress import Progress
    from python_jobs.publish import Outbox
    from python_jobs.retention import RetentionReport
    from python_jobs.validate import Validator


@dataclass(frozen=True, kw_only=True)
class DuckDBLake:
    """A lake in a DuckDB file; ``wait_seconds`` is how long to wait while another command holds it.

    What writes holds the lock of the warehouse. Readers only wait for the file.
    """

    project_dir: Path
    warehouse: Path
    wait_seconds: float = 0
    target: str = "duckdb"
    publisher_is_exclusive: bool = False

    def load(
        self,
        folder: Path,
        *,
        now: datetime,
        extracted_at: datetime | None = None,
        validator: Validator | None = None,
        progress: Progress | None = None,
    ) -> LoadReport:
        """Load a folder of JSON lines into Bronze; the file is created when it is missing."""
        from python_jobs.load import load_folder

        with warehouse_lock(self.warehouse, wait_seconds=self.wait_seconds):
            return load_folder(
                project_dir=self.project_dir,
                warehouse=self.warehouse,
                folder=folder,
                now=now,
                extracted_at=extracted_at,
                validator=validator,
                progress=progress,
            )

    def batches(self) -> list[Batch]:
        """Return all batches in the order they were first loaded."""
        from python_jobs.load import list_batches

        with open_duckdb(self.warehouse, read_only=True, wait_seconds=self.wait_seconds) as connection:
            return list_batches(connection)

    def set_status(self, ids: Sequence[str], status: str, *, reason: str, now: datetime) -> StatusChange:
        """Withdraw batches or reinstate them in one transaction."""
        from python_jobs.load import set_batch_status
        from python_jobs.load.days import days_of_batches

        with self._lock(), open_duckdb(self.warehouse) as connection:
            connection.begin()
            changed = [set_batch_status(connection, batch_id, status, reason=reason, now=now) for batch_id in ids]
            connection.commit()
            tables = read_contracts(self.project_dir)
            return StatusChange(batches=changed, days=days_of_batches(DuckDBReader(connection), tables, changed))

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
        """Withdraw a batch and load a file in its place in one transaction."""
        from python_jobs.load.replace import replace_batch

        with self._lock():
            return replace_batch(
                project_dir=self.project_dir,
                warehouse=self.warehouse,
                batch_id=batch_id,
                file=file,
                reason=reason,
                now=now,
                extracted_at=extracted_at,
                validator=validator,
                progress=progress,
            )

    def run(self, request: RunRequest, progress: Progress | None = None) -> RunResult:
        """Run pipelines under the lock of the warehouse."""
        from python_jobs.pipelines import run_pipelines
        from python_jobs.report import run_summary

        with self._lock():
            result = run_pipelines(request, progress=progress, reader=self.read)
            with self.read() as reader:
                return replace(result, summary=tuple(run_summary(reader, result.run_id)))

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """Open the file for queries; several readers may do so at once."""
        with open_duckdb(self.warehouse, read_only=True, wait_seconds=self.wait_seconds) as connection:
            yield DuckDBReader(connection)

    def retention(self, *, now: datetime, apply: bool, bad_records_days: int, dq_status_days: int) -> RetentionReport:
        """Count rows past their retention, or remove them in one transaction."""
        from python_jobs.retention import retention

        with self._lock(), open_duckdb(self.warehouse, read_only=not apply) as connection:
            return retention(
                connection, now=now, apply=apply, bad_records_days=bad_records_days, dq_status_days=dq_status_days
            )

    @contextmanager
    def outbox(self) -> Iterator[Outbox]:
        """Give the outbox, which locks the warehouse during each of its calls only."""
        from python_jobs.publish import DuckDBOutbox

        yield DuckDBOutbox(require_warehouse(self.warehouse), wait_seconds=self.wait_seconds)

    @contextmanager
    def sole_publisher(self) -> Iterator[None]:
        """Keep other publishers out; loads and runs go on."""
        from python_jobs.publish import sole_publisher

        with sole_publisher(require_warehouse(self.warehouse)):
            yield

    def outbox_version(self) -> str | None:
        """Return a text that changes with every write to the file."""
        from python_jobs.publish import DuckDBOutbox

        return str(DuckDBOutbox(self.warehouse).version())

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with warehouse_lock(require_warehouse(self.warehouse), wait_seconds=self.wait_seconds):
            yield
