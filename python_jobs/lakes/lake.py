"""The protocol of a lake: what the commands ask of it, whatever the engine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from python_jobs.warehouse import LakeError, plain_errors

if TYPE_CHECKING:
    from python_jobs.load import Batch, LoadReport
    from python_jobs.load.replace import ReplaceReport
    from python_jobs.pipelines import RunRequest, RunResult
    from python_jobs.progress import Progress
    from python_jobs.publish import Outbox
    from python_jobs.report import Reader
    from python_jobs.retention import RetentionReport
    from python_jobs.validate import Validator


@dataclass(frozen=True, kw_only=True)
class StatusChange:
    """Batches that were withdrawn or reinstated, with their new status, and the KST days of their lines."""

    batches: list[Batch]
    days: set[date]


class Lake(Protocol):
    """A lake on one engine.

    Making the object opens nothing. Each method opens what it needs, holds it while it works and takes the locks that
    keep other commands out. A method that the engine does not have raises a ``LakeError`` that says so.
    """

    @property
    def target(self) -> str:
        """Target of the dbt profile."""

    @property
    def warehouse(self) -> Path:
        """The DuckDB file or the folder of the Spark warehouse; without a meaning where neither is of this machine."""

    @property
    def publisher_is_exclusive(self) -> bool:
        """Whether an open outbox keeps loads and runs out of the warehouse until it is closed."""

    def load(
        self,
        folder: Path,
        *,
        now: datetime,
        extracted_at: datetime | None = None,
        validator: Validator | None = None,
        progress: Progress | None = None,
    ) -> LoadReport:
        """Load a folder of JSON lines into Bronze; see ``python_jobs.load.load_folder``."""

    def batches(self) -> Sequence[Batch]:
        """Return all batches in the order they were first loaded."""

    def set_status(self, ids: Sequence[str], status: str, *, reason: str, now: datetime) -> StatusChange:
        """Withdraw batches (``withdrawn``) or reinstate them (``loaded``), all or none.

        Raises:
            LakeError: no or several batches match an id, or a batch has that status already.
        """

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
        """Withdraw a batch and load a file in its place, both or neither; see ``python_jobs.load.replace``."""

    def run(self, request: RunRequest, progress: Progress | None = None) -> RunResult:
        """Run pipelines while other commands are kept out; the result has a summary of what was written."""

    def read(self) -> AbstractContextManager[Reader]:
        """Open the warehouse for queries, for the time of a block."""

    def retention(self, *, now: datetime, apply: bool, bad_records_days: int, dq_status_days: int) -> RetentionReport:
        """Count rows past their retention, or remove them; see ``python_jobs.retention``."""

    def outbox(self) -> AbstractContextManager[Outbox]:
        """Open the outbox of events, for the time of a block."""

    def sole_publisher(self) -> AbstractContextManager[None]:
        """Keep other publishers out for the time of a block; on a cluster the scheduler of the jobs has to do so.

        Raises:
            LakeError: another publisher holds the warehouse, or there is no warehouse.
        """

    def outbox_version(self) -> str | None:
        """Return a text that changes with every write to the outbox, without opening it; None without an outbox.

        Only where ``publisher_is_exclusive``.
        """


def unavailable(target: str) -> LakeError:
    """Return the error of a method that an engine does not have."""
    return LakeError(f"this command does not reach target {target}: run it in a job there, with --target spark")


def require_warehouse(path: Path) -> Path:
    """Return the path of a warehouse of this machine; no folder and no lock is made for one that is missing.

    Raises:
        LakeError: nothing is at the path, or it cannot be read.
    """
    with plain_errors(path):
        if not path.exists():
            raise LakeError(f"there is no warehouse at {path}: load data first (plura lake load DIR)")
    return path
