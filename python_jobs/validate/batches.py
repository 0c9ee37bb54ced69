"""Runs the suites over the new files of a load."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from python_jobs.contracts import Column, Table, read_contracts
from python_jobs.load import bronze
from python_jobs.load.lines import Lines, read_lines
from python_jobs.progress import Progress
from python_jobs.validate.suites import expectations, fits_column
from python_jobs.warehouse import LakeError

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.data_context import FileDataContext

SAMPLE_LINES = 200_000
"""Lines of a table that one load checks at most, the first ones of each file; the load itself checks every line."""

KEPT_OUTCOMES = 30
"""Loads of a table whose outcome Data Docs keep, so that writing them costs the same for ever."""


@dataclass(kw_only=True)
class Validator:
    """Checks files against the contract of their tables and keeps Data Docs of the outcome.

    Values stay out of Data Docs: they show counts only, because a batch holds personal data.
    """

    project_dir: Path
    docs_dir: Path
    index_page: Path | None = None

    def __call__(self, files: list[tuple[Path, Table]], progress: Progress | None = None) -> dict[str, list[str]]:
        """Check files and return, by table, one line per expectation that is not met.

        Args:
            files: the files with their tables, those of one table one after the other.
            progress: called with the table that is being checked.

        Raises:
            LakeError: Data Docs cannot be written.
        """
        groups = [(table, [path for path, _ in group]) for table, group in groupby(files, key=lambda item: item[1])]
        findings: dict[str, list[str]] = {}
        new_pages: list[Any] = []
        with _plain_errors(self.docs_dir):
            if progress is not None:
                progress(0, len(groups), "starting Great Expectations")
            context = self._context()
            for number, (table, paths) in enumerate(groups):
                if progress is not None:
                    progress(number, len(groups), f"checking {table.name} against its contract")
                frame = _sample(self.project_dir, table, paths)
                if len(frame):
                    outcomes = _check(context, table, frame)
                    new_pages += [page for key in outcomes for page in (key, key.expectation_suite_identifier)]
                    findings[table.name] = _findings(table, outcomes.values(), len(frame))
            _forget_old_outcomes(self.docs_dir)
            pages = context.build_data_docs(resource_identifiers=new_pages)
        self.index_page = Path(next(iter(pages.values())).removeprefix("file://"))
        return findings

    def _context(self) -> FileDataContext:
        os.environ["GX_ANALYTICS_ENABLED"] = "false"
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

        logging.getLogger("great_expectations").setLevel(logging.ERROR)
        self.docs_dir.mkdir(parents=True, exist_ok=True)
        context = gx.get_context(mode="file", project_root_dir=self.docs_dir)
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        return context


def _check(context: FileDataContext, table: Table, frame: pd.DataFrame) -> dict[Any, Any]:
    """Run the suite of a table and return its results by identifier."""
    import great_expectations as gx

    source = context.data_sources.add_or_update_pandas("incoming")
    batch = source.add_dataframe_asset(table.name).add_batch_definition_whole_dataframe("new lines")
    suite = context.suites.add_or_update(gx.ExpectationSuite(name=table.name, expectations=expectations(table)))
    definition = context.validation_definitions.add_or_update(
        gx.ValidationDefinition(name=table.name, data=batch, suite=suite)
    )
    checkpoint = context.checkpoints.add_or_update(
        gx.Checkpoint(
            name=table.name,
            validation_definitions=[definition],
            result_format={"result_format": "BASIC", "exclude_unexpected_values": True},
        )
    )
    run = checkpoint.run(batch_parameters={"dataframe": frame}, run_id=gx.RunIdentifier(run_time=datetime.now(UTC)))
    return dict(run.run_results)


def _findings(table: Table, outcomes: Iterable[Any], checked: int) -> list[str]:
    """One line per kind of fault, in the order of the contract; two columns that read one key have one line."""
    counts: dict[str, int] = {}
    for result in (result for outcome in outcomes for result in outcome.results if not result.success):
        what = result.expectation_config.meta["says"]
        counts[what] = max(counts.get(what, 0), result.result.get("unexpected_count", 0))
    order = dict.fromkeys(expectation.meta["says"] for expectation in expectations(table) if expectation.meta)
    return [
        f"bronze.{table.name}: {counts[what]} of {checked} checked lines: {what}" for what in order if what in counts
    ]


def _forget_old_outcomes(docs_dir: Path) -> None:
    """Remove the oldest results and their pages; each run of a table is a folder named by its instant."""
    results = docs_dir / "gx" / "uncommitted" / "validations"
    pages = docs_dir / "gx" / "uncommitted" / "data_docs" / "local_site" / "validations"
    for runs in results.glob("*/*"):
        for run in sorted(runs.iterdir())[:-KEPT_OUTCOMES]:
            shutil.rmtree(run, ignore_errors=True)
            shutil.rmtree(pages / run.relative_to(results), ignore_errors=True)


def _sample(project_dir: Path, table: Table, paths: list[Path]) -> pd.DataFrame:
    """The typed values of the first lines of each file, and whether each fits its type.

    A file that cannot be read is left to the load, which refuses it.
    """
    per_file = max(SAMPLE_LINES // len(paths), 1)
    connection = duckdb.connect()
    try:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set enable_progress_bar = false")
        bronze.create_tables(connection, read_contracts(project_dir))
        for number, path in enumerate(paths[:SAMPLE_LINES]):
            with suppress(LakeError):
                _insert_first_lines(connection, table, path, per_file, number)
        values = (f"trim({column.name})" if column.allowed_values else column.name for column in table.keyed_columns)
        names = [f"{value} as {column.name}" for value, column in zip(values, table.keyed_columns, strict=True)]
        names += [_fits(column) for column in table.keyed_columns]
        return connection.execute(f"select {', '.join(names)} from bronze.{table.name}").df()
    finally:
        connection.close()


@contextmanager
def _plain_errors(docs_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LakeError(
            f"Data Docs cannot be written to {docs_dir} ({error.strerror or error}): name another folder with"
            " PLURA_DATA_DOCS_DIR, or load with --no-validate"
        ) from error


def _insert_first_lines(
    connection: duckdb.DuckDBPyConnection, table: Table, path: Path, lines_wanted: int, number: int
) -> None:
    stamps = bronze.Stamps(batch_id="sample", batch_seq=number, extracted_at=None, loaded_at=datetime(1970, 1, 1))  # noqa: DTZ001 - the warehouse stores UTC without a zone
    for lines in read_lines(path):
        first = Lines(
            first_number=lines.first_number,
            texts=lines.texts[:lines_wanted],
            bytes_read=lines.bytes_read,
            malformed=lines.malformed,
        )
        bronze.insert_lines(connection, table, first, stamps)
        lines_wanted -= len(first.texts)
        if lines_wanted <= 0:
            return


def _fits(column: Column) -> str:
    """SQL: false where the line has a value that is not in the typed column."""
    named = "concat(',', coalesce(unreadable_columns, ''), ',', coalesce(implausible_columns, ''), ',')"
    is_named = " or ".join(f"contains({named}, ',{spelling},')" for spelling in column.spellings)
    return f"not ({is_named}) as {fits_column(column)}"
