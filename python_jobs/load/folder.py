"""Loading a folder of JSON lines into Bronze, one transaction per file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from python_jobs.contracts import Table, read_contracts
from python_jobs.load import batches, bronze
from python_jobs.load.lines import content_sha256, parse_line, read_lines
from python_jobs.warehouse import LakeError, explain, open_duckdb

if TYPE_CHECKING:
    from python_jobs.validate import Validator

_SUFFIXES = (".jsonl", ".jsonl.gz")

Progress = Callable[[int, int, str], None]
"""Called with the bytes done, the bytes in all and the file being loaded."""


@dataclass(frozen=True, kw_only=True)
class FileOutcome:
    """What became of one file: ``loaded``, ``unchanged``, ``reinstated``, ``empty`` or ``refused``."""

    path: Path
    table: str
    outcome: str
    rows: int = 0
    malformed: int = 0
    batch_id: str = ""
    problem: str = ""


@dataclass(kw_only=True)
class LoadReport:
    """Outcome of a load: the files, and what to look at."""

    files: list[FileOutcome] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    data_docs: Path | None = None

    @property
    def problems(self) -> list[str]:
        """One line per refused file."""
        return [file.problem for file in self.files if file.outcome == "refused"]

    def count(self, outcome: str) -> int:
        """Number of files with an outcome."""
        return sum(1 for file in self.files if file.outcome == outcome)


@dataclass(frozen=True, kw_only=True)
class _Context:
    connection: duckdb.DuckDBPyConnection
    tables: dict[str, Table]
    folder: Path
    extracted_at: datetime | None
    now: datetime


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
        progress: told about the bytes read.

    Raises:
        LakeError: no folder, no file in it, a file that names no table, or the warehouse cannot be written.
    """
    tables = read_contracts(project_dir)
    found = find_files(folder, tables)
    report = LoadReport()
    with open_duckdb(warehouse) as connection:
        bronze.create_tables(connection, tables)
        context = _Context(connection=connection, tables=tables, folder=folder, extracted_at=extracted_at, now=now)
        new_files: list[tuple[Path, Table, str]] = []
        for path, table in found:
            known = _known_outcome(context, path, table)
            if isinstance(known, FileOutcome):
                report.files.append(known)
            else:
                new_files.append((path, table, known))
        if validator is not None and new_files:
            report.warnings += validator([(path, table) for path, table, _ in new_files])
            report.data_docs = validator.index_page
        total = sum(path.stat().st_size for path, _, _ in new_files)
        done = 0
        for path, table, digest in new_files:
            report.files.append(_load_file(context, path, table, digest, _after(done, total, path, progress)))
            done += path.stat().st_size
            if progress is not None:
                progress(done, total, path.name)
    _warn_of_lines(report)
    return report


def find_files(folder: Path, tables: dict[str, Table]) -> list[tuple[Path, Table]]:
    """Return the files of a folder with their tables, in the order of the contract and of their names.

    Raises:
        LakeError: there is no such folder, no file, or a file or folder of JSON lines that names no table.
    """
    if not folder.is_dir():
        raise LakeError(f"{folder} is no folder: name one that holds <table>/*.jsonl or <source>.jsonl files")
    by_name = {table.name: table for table in tables.values() if table.source}
    by_name |= {table.source: table for table in tables.values() if table.source}
    found: list[tuple[Path, Table]] = []
    for path in sorted(folder.glob("*.jsonl*")) + sorted(folder.glob("*/*.jsonl*")):
        if not path.name.endswith(_SUFFIXES):
            continue
        name = path.parent.name if path.parent != folder else path.name.split(".", 1)[0]
        table = by_name.get(name)
        if table is None:
            known = ", ".join(sorted(table.source for table in tables.values() if table.source))
            raise LakeError(f"{path} belongs to no table: {name!r} is none of {known} (or their bronze table names)")
        found.append((path, table))
    if not found:
        raise LakeError(f"{folder} holds no *.jsonl or *.jsonl.gz file to load")
    order = {name: rank for rank, name in enumerate(tables)}
    return sorted(found, key=lambda item: (order[item[1].name], item[0]))


def _known_outcome(context: _Context, path: Path, table: Table) -> FileOutcome | str:
    """The outcome of a file that needs no loading, else its content hash."""
    try:
        digest = content_sha256(path)
    except LakeError as error:
        return FileOutcome(path=path, table=table.name, outcome="refused", problem=str(error))
    if path.stat().st_size == 0:
        return FileOutcome(path=path, table=table.name, outcome="empty")
    batch_id = batches.batch_id_of(table.name, digest, context.extracted_at)
    batch = batches.find_batch(context.connection, batch_id)
    if batch is None:
        return digest
    if batch.status == "loaded":
        return FileOutcome(path=path, table=table.name, outcome="unchanged", rows=batch.row_count, batch_id=batch_id)
    batches.set_batch_status(context.connection, batch_id, "loaded", reason="loaded again", now=context.now)
    return FileOutcome(path=path, table=table.name, outcome="reinstated", rows=batch.row_count, batch_id=batch_id)


def _load_file(
    context: _Context, path: Path, table: Table, digest: str, progress: Callable[[int], None]
) -> FileOutcome:
    connection = context.connection
    stamps = bronze.Stamps(
        batch_id=batches.batch_id_of(table.name, digest, context.extracted_at),
        batch_seq=batches.next_batch_seq(connection),
        extracted_at=batches.utc_naive(context.extracted_at) if context.extracted_at else None,
        loaded_at=batches.utc_naive(context.now),
    )
    rows = malformed = 0
    connection.begin()
    try:
        for lines in read_lines(path):
            new_rows, new_malformed = bronze.insert_lines(connection, table, lines, stamps)
            rows += new_rows
            malformed += new_malformed
            progress(lines.bytes_read)
        if rows:
            _refuse_wrong_file(context, table, path, stamps)
        batches.register_batch(
            connection,
            stamps=stamps,
            table_name=table.name,
            source_file=path.relative_to(context.folder).as_posix(),
            content_sha256=digest,
            row_count=rows,
            malformed_count=malformed,
        )
        connection.commit()
    except LakeError as error:
        connection.rollback()
        return FileOutcome(path=path, table=table.name, outcome="refused", problem=str(error))
    except duckdb.Error as error:
        connection.rollback()
        raise LakeError(f"{path} was not loaded: {explain(error, path)}") from error
    return FileOutcome(
        path=path, table=table.name, outcome="loaded", rows=rows, malformed=malformed, batch_id=stamps.batch_id
    )


def _refuse_wrong_file(context: _Context, table: Table, path: Path, stamps: bronze.Stamps) -> None:
    """Refuse a file in which no line has a required key, be its value null."""
    empty = [
        column
        for column in table.value_columns
        if column.required and not bronze.has_value(context.connection, table, column, batch_id=stamps.batch_id)
    ]
    if not empty:
        return
    keys: set[str] = set()
    for text in bronze.raw_lines(context.connection, table, batch_id=stamps.batch_id):
        keys |= parse_line(text).keys()
    missing = [column.name for column in empty if keys.isdisjoint(column.spellings)]
    if missing:
        fits = [other.name for other in context.tables.values() if other.source and _fits(other, keys)]
        hint = f"; it looks like {' or '.join(fits)}" if fits else ""
        raise LakeError(
            f"{path} does not fit bronze.{table.name}: no line has {', '.join(missing)}{hint}. Nothing of it was loaded"
        )


def _fits(table: Table, keys: set[str]) -> bool:
    return all(not keys.isdisjoint(column.spellings) for column in table.value_columns if column.required)


def _after(done: int, total: int, path: Path, progress: Progress | None) -> Callable[[int], None]:
    """A callback that adds the bytes of one file; gzip files grow in reading and count when they are done."""
    size = path.stat().st_size
    read = 0

    def advance(bytes_read: int) -> None:
        nonlocal read
        read += bytes_read
        if progress is not None:
            progress(done + min(read, size), total, path.name)

    return advance


def _warn_of_lines(report: LoadReport) -> None:
    for file in report.files:
        if file.outcome == "empty":
            report.warnings.append(f"{file.path} is empty: nothing to load")
        if file.malformed:
            report.warnings.append(
                f"{file.path}: {file.malformed} of {file.rows + file.malformed} lines are no JSON object;"
                " they are kept in bronze.malformed_lines with their line numbers"
            )
