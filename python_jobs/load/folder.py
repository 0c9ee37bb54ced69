"""Loading a folder of JSON lines into Bronze, one transaction per file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from python_jobs.contracts import Table, read_contracts
from python_jobs.instants import utc_naive
from python_jobs.load import batches, bronze
from python_jobs.load.lines import content_sha256, read_lines
from python_jobs.warehouse import LakeError, explain, open_duckdb

if TYPE_CHECKING:
    from python_jobs.validate import Validator

_SUFFIXES = (".jsonl", ".jsonl.gz")

Progress = Callable[[int, int, str], None]
"""Called with what is done, what there is in all (files, tables or bytes) and the name of the piece at hand."""


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
    warehouse: Path
    extracted_at: datetime | None
    now: datetime


@dataclass(frozen=True, kw_only=True)
class _NewFile:
    """A file whose content is in no batch; ``size`` in bytes as it lies on the disk."""

    path: Path
    table: Table
    size: int
    content_sha256: str
    batch_id: str


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
        progress: told about the files looked at, the tables checked and the bytes loaded.

    Raises:
        LakeError: no folder, no file in it, a file that names no table, or the warehouse cannot be written.
    """
    tables = read_contracts(project_dir)
    found = find_files(folder, tables)
    report = LoadReport(warnings=[f"{path} is not read: {why}" for path, why in ignored_files(folder, tables)])
    advance = progress or _no_progress
    with open_duckdb(warehouse, create=True) as connection:
        bronze.create_tables(connection, tables)
        context = _Context(
            connection=connection,
            tables=tables,
            folder=folder,
            warehouse=warehouse,
            extracted_at=extracted_at,
            now=now,
        )
        new_files: dict[str, _NewFile] = {}
        copies: list[_NewFile] = []
        for number, (path, table) in enumerate(found):
            advance(number, len(found), f"looking at {path.name}")
            file = _looked_at(context, path, table)
            if isinstance(file, FileOutcome):
                report.files.append(file)
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
            report.files.append(_load_file(context, file, _after(done, total, file, advance)))
            done += file.size
            advance(done, total, file.path.name)
        for file in copies:
            again = _looked_at(context, file.path, file.table)
            report.files.append(
                again
                if isinstance(again, FileOutcome)
                else _load_file(context, again, _after(done, total, file, advance))
            )
    loaded = {file.table for file in report.files if file.outcome == "loaded"}
    report.warnings += [text for table, texts in findings.items() if table in loaded for text in texts]
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


def ignored_files(folder: Path, tables: dict[str, Table]) -> list[tuple[Path, str]]:
    """Return what lies where a table's files are expected but is not loaded, and why."""
    names = {name for table in tables.values() if table.source for name in (table.name, table.source)}
    ignored = [
        (path, "only *.jsonl and *.jsonl.gz files are")
        for path in sorted(folder.glob("*"))
        if path.is_file() and path.name.split(".", 1)[0] in names and not path.name.endswith(_SUFFIXES)
    ]
    for inside in (path for path in sorted(folder.glob("*")) if path.is_dir() and path.name in names):
        for path in sorted(inside.glob("*")):
            if path.is_dir():
                ignored.append((path, f"files lie in {inside} itself, not in folders below it"))
            elif not path.name.endswith(_SUFFIXES):
                ignored.append((path, "only *.jsonl and *.jsonl.gz files are"))
    return ignored


def _looked_at(context: _Context, path: Path, table: Table) -> FileOutcome | _NewFile:
    """The outcome of a file that needs no loading, else what is to be loaded."""
    try:
        size, digest = path.stat().st_size, content_sha256(path)
    except OSError as error:
        problem = f"{path} cannot be read ({error.strerror}); nothing of it was loaded"
        return FileOutcome(path=path, table=table.name, outcome="refused", problem=problem)
    except LakeError as error:
        return FileOutcome(path=path, table=table.name, outcome="refused", problem=str(error))
    batch_id = batches.batch_id_of(table.name, digest, context.extracted_at)
    batch = batches.find_batch(context.connection, batch_id)
    if batch is None:
        return _NewFile(path=path, table=table, size=size, content_sha256=digest, batch_id=batch_id)
    if batch.status == "loaded":
        return FileOutcome(path=path, table=table.name, outcome="unchanged", rows=batch.row_count, batch_id=batch_id)
    batches.set_batch_status(context.connection, batch_id, "loaded", reason="loaded again", now=context.now)
    return FileOutcome(path=path, table=table.name, outcome="reinstated", rows=batch.row_count, batch_id=batch_id)


def _load_file(context: _Context, file: _NewFile, advance: Callable[[int], None]) -> FileOutcome:
    connection, path, table = context.connection, file.path, file.table
    stamps = bronze.Stamps(
        batch_id=file.batch_id,
        batch_seq=batches.next_batch_seq(connection),
        extracted_at=utc_naive(context.extracted_at) if context.extracted_at else None,
        loaded_at=utc_naive(context.now),
    )
    rows = malformed = 0
    connection.begin()
    try:
        for lines in read_lines(path, sha256=file.content_sha256):
            new_rows, new_malformed = bronze.insert_lines(connection, table, lines, stamps)
            rows += new_rows
            malformed += new_malformed
            advance(lines.bytes_read)
        if not rows and not malformed:
            connection.rollback()
            return FileOutcome(path=path, table=table.name, outcome="empty")
        if rows:
            _refuse_wrong_file(context, table, path, stamps)
        batches.register_batch(
            connection,
            stamps=stamps,
            table_name=table.name,
            source_file=path.relative_to(context.folder).as_posix(),
            content_sha256=file.content_sha256,
            row_count=rows,
            malformed_count=malformed,
        )
        connection.commit()
    except LakeError as error:
        connection.rollback()
        return FileOutcome(path=path, table=table.name, outcome="refused", problem=str(error))
    except duckdb.Error as error:
        with suppress(duckdb.Error):  # the warehouse may have closed the transaction by itself
            connection.rollback()
        raise LakeError(f"{path} was not loaded: {explain(error, context.warehouse)}") from error
    return FileOutcome(
        path=path, table=table.name, outcome="loaded", rows=rows, malformed=malformed, batch_id=stamps.batch_id
    )


def _refuse_wrong_file(context: _Context, table: Table, path: Path, stamps: bronze.Stamps) -> None:
    """Refuse a file in which no line has a required key, be its value null, or whose keys are another table's."""
    missing = [
        column.name
        for column in table.value_columns
        if column.required
        and not bronze.has_value(context.connection, table, column, batch_id=stamps.batch_id)
        and not bronze.has_key(context.connection, table, column, batch_id=stamps.batch_id)
    ]
    keys = bronze.first_keys(context.connection, table, batch_id=stamps.batch_id)
    own = _known_keys(table, keys)
    known = {other.name: _known_keys(other, keys) for other in context.tables.values() if _fits(other, keys)}
    most = max(map(len, known.values()), default=0)
    likely = [name for name, others in known.items() if len(others) == most and name != table.name]
    if missing or any(own < known[name] for name in likely):
        why = f"no line has {', '.join(missing)}" if missing else f"it has only {', '.join(sorted(own))} of its keys"
        hint = f"; it looks like {' or '.join(likely)}" if likely else ""
        raise LakeError(f"{path} does not fit bronze.{table.name}: {why}{hint}. Nothing of it was loaded")


def _known_keys(table: Table, keys: set[str]) -> set[str]:
    return {spelling for column in table.value_columns for spelling in column.spellings} & keys


def _fits(table: Table, keys: set[str]) -> bool:
    return table.source is not None and all(
        not keys.isdisjoint(column.spellings) for column in table.value_columns if column.required
    )


def _no_progress(_done: int, _total: int, _piece: str) -> None:
    """Tell nobody."""


def _after(done: int, total: int, file: _NewFile, progress: Progress) -> Callable[[int], None]:
    """A callback that adds the bytes of one file; gzip files grow in reading and count when they are done."""
    read = 0

    def advance(bytes_read: int) -> None:
        nonlocal read
        read += bytes_read
        progress(done + min(read, file.size), total, file.path.name)

    return advance


def _warn_of_lines(report: LoadReport) -> None:
    for file in report.files:
        if file.outcome == "empty":
            report.warnings.append(f"{file.path} holds no line: nothing to load")
        if file.malformed:
            report.warnings.append(
                f"{file.path}: {file.malformed} of {file.rows + file.malformed} lines are no JSON object; they are kept"
                f" with their line numbers in bronze.malformed_lines, batch {file.batch_id}"
            )
