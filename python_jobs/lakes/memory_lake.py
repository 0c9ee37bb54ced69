"""The twin of a lake in memory, for tests of what uses one: the same answers, and nothing on the disk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from python_jobs.contracts import Table, read_contracts
from python_jobs.instants import kst_day, utc_naive
from python_jobs.lakes.lake import StatusChange
from python_jobs.load.batches import Batch, batch_id_of, match_batch, only_match, reason_of_new, reason_of_old
from python_jobs.load.file import FileOutcome, LoadReport
from python_jobs.load.lines import content_sha256, read_lines
from python_jobs.load.names import list_folder
from python_jobs.load.replace import ReplaceReport, is_done, refuse_withdrawn
from python_jobs.pipelines import RunRequest, RunResult
from python_jobs.publish import MemoryOutbox, Outbox
from python_jobs.report import Reader, Rows
from python_jobs.retention import RetentionReport
from python_jobs.warehouse import LakeError

if TYPE_CHECKING:
    from python_jobs.progress import Progress
    from python_jobs.validate import Validator


@dataclass(frozen=True)
class MemoryReader:
    """Answers each query with the rows that a test has given for it; other queries have none."""

    answers: dict[str, Rows] = field(default_factory=dict)

    def rows(self, sql: str, **_values: Any) -> Rows:
        """Return the rows given for a query."""
        return self.answers.get(sql, [])

    def has_table(self, schema: str, table: str) -> bool:
        """Whether rows were given for the table."""
        return f"{schema}.{table}" in self.answers


@dataclass(kw_only=True)
class MemoryLake:
    """The twin of a lake: the registry of batches and the outbox are lists.

    It knows neither refused files nor corrected lines: those rules are the loader's, which all engines share. A run
    succeeds and is kept in ``requests``.
    """

    project_dir: Path
    warehouse: Path = Path("memory")
    target: str = "memory"
    publisher_is_exclusive: bool = False
    events: MemoryOutbox = field(default_factory=MemoryOutbox)
    reader: MemoryReader = field(default_factory=MemoryReader)
    requests: list[RunRequest] = field(default_factory=list)
    _batches: dict[str, Batch] = field(default_factory=dict)
    _days: dict[str, set[date]] = field(default_factory=dict)

    def load(
        self,
        folder: Path,
        *,
        now: datetime,
        extracted_at: datetime | None = None,
        validator: Validator | None = None,
        progress: Progress | None = None,
    ) -> LoadReport:
        """Load a folder of JSON lines."""
        report = LoadReport()
        listing = list_folder(folder, read_contracts(self.project_dir))
        if validator is not None:
            report.warnings += [text for texts in validator(listing.files).values() for text in texts]
        for number, (path, table) in enumerate(listing.files, 1):
            report.files.append(self._load_file(path, table, extracted_at, now))
            if progress is not None:
                progress(number, len(listing.files), path.name)
        report.days |= self._days_of(report.changed)
        return report

    def batches(self) -> list[Batch]:
        """Return all batches in the order they were first loaded."""
        if not self._batches:
            raise LakeError(f"there is no warehouse at {self.warehouse}: load data first (plura lake load DIR)")
        return list(self._batches.values())

    def set_status(self, ids: Sequence[str], status: str, *, reason: str, now: datetime) -> StatusChange:  # noqa: ARG002
        """Withdraw batches or reinstate them, all or none."""
        changed: dict[str, Batch] = {}
        for batch_id in ids:
            known = [changed.get(batch.batch_id, batch) for batch in self.batches()]
            match = only_match(known, batch_id, status)
            changed[match.batch_id] = replace(match, status=status, reason=reason)
        self._batches |= changed
        return StatusChange(batches=list(changed.values()), days=self._days_of(changed))

    def replace(
        self,
        batch_id: str,
        file: Path,
        *,
        reason: str,
        now: datetime,
        extracted_at: datetime | None = None,
        validator: Validator | None = None,  # noqa: ARG002
        progress: Progress | None = None,  # noqa: ARG002
    ) -> ReplaceReport:
        """Withdraw a batch and load a file in its place."""
        old = match_batch(self.batches(), batch_id)
        table = read_contracts(self.project_dir)[old.table_name]
        new_id = batch_id_of(table.name, content_sha256(file), extracted_at)
        if new_id == old.batch_id:
            raise LakeError(f"{file} is what batch {old.batch_id} holds: there is nothing to replace")
        if new_id in self._batches and is_done(old, self._batches[new_id]):
            return ReplaceReport(old=old, new=self._batches[new_id], is_new=False)
        refuse_withdrawn(old)
        self._load_file(file, table, extracted_at, now)
        new = replace(self._batches[new_id], status="loaded", reason=reason_of_new(old.batch_id, reason))
        old = replace(old, status="withdrawn", reason=reason_of_old(new_id, reason))
        self._batches |= {old.batch_id: old, new.batch_id: new}
        return ReplaceReport(old=old, new=new, days=self._days_of([old.batch_id, new.batch_id]))

    def run(self, request: RunRequest, progress: Progress | None = None) -> RunResult:
        """Record a request, which succeeds."""
        self.batches()
        self.requests.append(request)
        if progress is not None:
            progress(1, 1, "run")
        return RunResult(run_id=request.run_id, seconds=0, problems=(), node_seconds={})

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """Give the reader."""
        self.batches()
        yield self.reader

    def retention(
        self,
        *,
        now: datetime,
        apply: bool,  # noqa: ARG002
        bad_records_days: int,
        dq_status_days: int,
    ) -> RetentionReport:
        """Count nothing: no row is older than the twin."""
        self.batches()
        today = kst_day(now)
        return RetentionReport(
            bad_records=0,
            bad_records_from=today - timedelta(days=bad_records_days),
            dq_status=0,
            dq_status_from=today - timedelta(days=dq_status_days),
        )

    @contextmanager
    def outbox(self) -> Iterator[Outbox]:
        """Give the outbox."""
        self.batches()
        yield self.events

    @contextmanager
    def sole_publisher(self) -> Iterator[None]:
        """Enter the block; there is no other publisher."""
        self.batches()
        yield

    def outbox_version(self) -> str | None:
        """Return how many events there are."""
        return str(self.events.version())

    def _load_file(self, path: Path, table: Table, extracted_at: datetime | None, now: datetime) -> FileOutcome:
        batch_id = batch_id_of(table.name, content_sha256(path), extracted_at)
        known = self._batches.get(batch_id)
        if known is not None:
            outcome = "unchanged" if known.status == "loaded" else "reinstated"
            if outcome == "reinstated":
                self._batches[batch_id] = replace(known, status="loaded", reason="loaded again")
            return FileOutcome(
                path=path, table=table.name, outcome=outcome, rows=known.row_count, batch_id=known.batch_id
            )
        texts = [text for lines in read_lines(path) for text in lines.texts]
        objects = [found for text in texts if (found := _object(text)) is not None]
        malformed = len(texts) - len(objects)
        self._batches[batch_id] = Batch(
            batch_id=batch_id,
            batch_seq=len(self._batches) + 1,
            table_name=table.name,
            source_file=path.name if path.stem == table.source else f"{path.parent.name}/{path.name}",
            row_count=len(objects),
            malformed_count=malformed,
            status="loaded",
            reason=None,
            loaded_at=utc_naive(now),
        )
        instants = [row[name] for row in objects for name in table.dated_by if row.get(name)]
        self._days[batch_id] = {_day_of(text) for text in instants}
        return FileOutcome(
            path=path, table=table.name, outcome="loaded", rows=len(objects), malformed=malformed, batch_id=batch_id
        )

    def _days_of(self, ids: Sequence[str] | dict[str, Batch]) -> set[date]:
        return {day for batch_id in ids for day in self._days[batch_id]}


def _object(text: str | None) -> dict[str, Any] | None:
    """The JSON object of a line; None if it is not one."""
    try:
        value = json.loads(text or "")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _day_of(text: str) -> date:
    """The KST day of an instant of a line; without an offset it is UTC."""
    instant = datetime.fromisoformat(text)
    return kst_day(instant if instant.tzinfo else instant.replace(tzinfo=UTC))
