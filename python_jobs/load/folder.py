"""Loading a folder of JSON lines into Bronze, one transaction per file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from python_jobs.contracts import read_contracts
from python_jobs.load import batches, bronze
from python_jobs.load.file import (
    FileOutcome,
    LoadContext,
    LoadReport,
    NewFile,
    bytes_of,
    inspect_file,
    load_file,
    malformed_warning,
)
from python_jobs.load.findings import add_findings
from python_jobs.load.names import Listing, list_folder
from python_jobs.load.repeated import held_in
from python_jobs.progress import Progress, no_progress
from python_jobs.report import DuckDBReader
from python_jobs.warehouse import open_duckdb

if TYPE_CHECKING:
    from python_jobs.validate import Validator

_MOST_UNREAD = 20
"""Files that are not read whose reasons are reported one by one."""


def load_folder(
    *,
    project_dir: Path,
    warehouse: Path,
    folder: Path,
    now: datetime,
    extracted_at: datetime | None = None,
    validator: Validator | None = None,
    progress: Progress | None = None,
) -> LoadReport:
    """Load every file of a folder that was not loaded before.

    Files are ``<bronze table>/*.jsonl``, ``<source>/*.jsonl`` or ``<source>.jsonl``, plain or gzip. A file is loaded
    whole or not at all; a file that does not fit its table is refused and the others are loaded.

    Args:
        project_dir: the dbt project with the contract.
        warehouse: the DuckDB file, created when missing.
        folder: where the files lie.
        now: instant of the load, aware.
        extracted_at: extraction instant of lines that carry none, aware.
        validator: checks the new files with Great Expectations first; its findings become warnings.
        progress: called with the files inspected, the tables checked and the bytes loaded.

    Raises:
        LakeError: no folder, no file in it, a file that belongs to no table, or the warehouse cannot be written.
    """
    tables = read_contracts(project_dir)
    listing = list_folder(folder, tables)
    with open_duckdb(warehouse, create=True) as connection:
        bronze.create_tables(connection, tables)
        context = LoadContext(
            connection=connection,
            tables=tables,
            folder=folder,
            warehouse=warehouse,
            extracted_at=extracted_at,
            now=now,
        )
        report = load_listing(context, listing, validator=validator, progress=progress)
        add_findings(
            DuckDBReader(connection),
            tables,
            batches.list_batches(connection),
            report,
            extracted_at=extracted_at,
            now=now,
            hold=held_in(connection),
        )
    return report


def load_listing(
    context: LoadContext, listing: Listing, *, validator: Validator | None = None, progress: Progress | None = None
) -> LoadReport:
    """Load the files of a listing that were not loaded before; they are not compared with earlier lines."""
    advance = progress or no_progress
    report = LoadReport(warnings=[f"{path} is not read: {why}" for path, why in listing.unread[:_MOST_UNREAD]])
    if len(listing.unread) > _MOST_UNREAD:
        report.warnings.append(f"{len(listing.unread) - _MOST_UNREAD} more files of {context.folder} are not read")
    new_files: dict[str, NewFile] = {}
    copies: list[NewFile] = []
    for number, (path, table) in enumerate(listing.files):
        advance(number, len(listing.files), f"reading {path.name}")
        file = inspect_file(context, path, table)
        if isinstance(file, FileOutcome):
            report.files.append(file)
        elif isinstance(file, batches.Batch):
            report.files.append(_kept(context, path, file))
        elif file.batch_id in new_files:
            copies.append(file)
        else:
            new_files[file.batch_id] = file
    findings: dict[str, list[str]] = {}
    if validator is not None and new_files:
        findings = validator([(file.path, file.table) for file in new_files.values()], advance)
        report.data_docs = validator.index_page
    total = sum(file.size for file in new_files.values())
    done = 0
    for file in new_files.values():
        report.files.append(load_file(context, file, bytes_of(file, advance, done=done, total=total)))
        done += file.size
        advance(done, total, file.path.name)
    for copy in copies:
        again = inspect_file(context, copy.path, copy.table)
        if isinstance(again, NewFile):  # the first of the copies was refused, or has changed since
            report.files.append(load_file(context, again, bytes_of(copy, advance, done=done, total=total)))
        else:
            report.files.append(again if isinstance(again, FileOutcome) else _kept(context, copy.path, again))
    loaded = {file.table for file in report.files if file.outcome == "loaded"}
    report.warnings += [text for table, texts in findings.items() if table in loaded for text in texts]
    _warn_of_lines(report)
    return report


def _kept(context: LoadContext, path: Path, batch: batches.Batch) -> FileOutcome:
    """The outcome of a file that is in a batch already; a batch that was withdrawn is reinstated."""
    outcome = "unchanged" if batch.status == "loaded" else "reinstated"
    if outcome == "reinstated" and (new := batches.replacement_of(context.connection, batch)):
        # the wrong file may stay in its folder for ever
        return FileOutcome(
            path=path, table=batch.table_name, outcome="replaced", rows=batch.row_count, batch_id=new.batch_id
        )
    if outcome == "reinstated":
        batches.set_batch_status(context.connection, batch.batch_id, "loaded", reason="loaded again", now=context.now)
    return FileOutcome(
        path=path, table=batch.table_name, outcome=outcome, rows=batch.row_count, batch_id=batch.batch_id
    )


def _warn_of_lines(report: LoadReport) -> None:
    for file in report.files:
        if file.outcome == "replaced":
            report.warnings.append(
                f"{file.path} was replaced by batch {file.batch_id}; plura lake reinstate brings it back"
            )
        if file.outcome == "empty":
            report.warnings.append(f"{file.path} holds no line: nothing to load")
        if file.malformed:
            report.warnings.append(malformed_warning(file.path, file.rows, file.malformed, file.batch_id))
