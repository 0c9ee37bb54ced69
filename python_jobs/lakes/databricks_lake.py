"""The lake on Databricks, as a client of a SQL warehouse reaches it: it runs pipelines and reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from python_jobs.lakes.lake import unavailable

if TYPE_CHECKING:
    from python_jobs.pipelines import RunRequest, RunResult
    from python_jobs.progress import Progress
    from python_jobs.report import Reader


@dataclass(frozen=True, kw_only=True)
class DatabricksLake:
    """A lake on Databricks. Nothing is locked from here: its jobs run one at a time.

    Files are loaded, and events published, by jobs on its compute, where the target is ``spark``.
    """

    project_dir: Path
    warehouse: Path = Path()
    target: str = "databricks"
    publisher_is_exclusive: bool = False

    def run(self, request: RunRequest, progress: Progress | None = None) -> RunResult:
        """Run pipelines on the SQL warehouse."""
        from python_jobs.pipelines import run_pipelines
        from python_jobs.report import run_summary

        with self.read() as reader:
            result = run_pipelines(request, progress=progress, reader=lambda: nullcontext(reader))
            return replace(result, summary=tuple(run_summary(reader, result.run_id)))

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """Connect to the SQL warehouse."""
        from python_jobs.databricks import open_warehouse

        with open_warehouse(self.project_dir) as reader:
            yield reader

    def _unavailable(self, *_: object, **__: object) -> NoReturn:
        raise unavailable(self.target)

    load = batches = set_status = replace = retention = _unavailable
    outbox = sole_publisher = outbox_version = _unavailable
