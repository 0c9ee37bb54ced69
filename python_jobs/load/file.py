"""Loading one file into Bronze: whether it was loaded before, its rows, and the reasons to refuse it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import duckdb

from python_jobs.contracts import Table
from python_jobs.instants import utc_naive
from python_jobs.load import batches, bronze
from python_jobs.load.file_format import binary_kind, spread_kind, text_kind
from python_jobs.load.fit import known_keys, likely_tables
from python_jobs.load.lines import content_sha256, head_of, read_lines
from python_jobs.progress import Progress
from python_jobs.warehouse import LakeError, explain


@dataclass(frozen=True, kw_only=True)
class FileOutcome:
    """Outcome of one file: ``loaded``, ``unchanged``, ``reinstated``, ``replaced``, ``empty`` or ``refused``.

    ``batch_id`` is the batch that counts for it; for a replaced file that of the file that replaced it.
    """

    path: Path
    table: str
    outcome: str
    rows: int = 0
    malformed: int = 0
    batch_id: str = ""
    problem: str = ""


@dataclass(kw_only=True)
class LoadReport:
    """Outcome of a load: the files, warnings, and the KST days of the lines that were loaded or reinstated."""

    files: list[FileOutcome] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    data_docs: Path | None = None
    days: set[date] = field(default_factory=set)

    @property
    def problems(self) -> list[str]:
        """One line per refused file."""
        return [file.problem for file in self.files if file.outcome == "refused"]

    @property
    def changed(self) -> list[str]:
        """Ids of the batches that were loaded or reinstated."""
        return [file.batch_id for file in self.files if file.outcome in {"loaded", "reinstated"}]

    def count(self, outcome: str) -> int:
        """Number of files with an outcome."""
        return sum(1 for file in self.files if file.outcome == outcome)


@dataclass(frozen=True, kw_only=True)
class LoadContext:
    """Where files are loaded, and what applies to all of them; their names are stored relative to ``folder``."""

    connection: duckdb.DuckDBPyConnection
    tables: dict[str, Table]
    folder: Path
    warehouse: Path
    extracted_at: datetime | None
    now: datetime


@dataclass(frozen=True, kw_only=True)
class NewFile:
    """A file whose content is in no batch; ``size`` in bytes as it lies on the disk."""

    path: Path
    table: Table
    size: int
    content_sha256: str
    batch_id: str


def inspect_file(context: LoadContext, path: Path, table: Table) -> FileOutcome | NewFile | batches.Batch:
    """Return the batch that already has the content of a file, the file if it is new, or why it is refused."""
    try:
        size = path.stat().st_size
        _refuse_name(path)
        _refuse_other_formats(path)
        digest = content_sha256(path)
    except OSError as error:
        problem = f"{path} cannot be read ({error.strerror}); nothing of it was loaded"
        return FileOutcome(path=path, table=table.name, outcome="refused", problem=problem)
    except LakeError as error:
        return FileOutcome(path=path, table=table.name, outcome="refused", problem=str(error))
    batch_id = batches.batch_id_of(table.name, digest, context.extracted_at)
    known = batches.find_batch(context.connection, batch_id)
    return known or NewFile(path=path, table=table, size=size, content_sha256=digest, batch_id=batch_id)


def bytes_of(file: NewFile, progress: Progress, *, done: int, total: int) -> Callable[[int], None]:
    """Return a callback that adds the bytes of a file to ``done``.

    A gzip file counts its size on the disk at most, since more bytes are read of it.
    """
    read = 0

    def advance(bytes_read: int) -> None:
        nonlocal read
        read += bytes_read
        progress(done + min(read, file.size), total, file.path.name)

    return advance


def malformed_warning(path: Path, rows: int, malformed: int, batch_id: str) -> str:
    """Return the warning about lines of a file that are not JSON objects."""
    return (
        f"{path}: {malformed} of {rows + malformed} lines are not JSON objects; they are kept with their line numbers"
        f" in bronze.malformed_lines, batch {batch_id}"
    )


def load_file(context: LoadContext, file: NewFile, advance: Callable[[int], None]) -> FileOutcome:
    """Load a file in a transaction of its own.

    Args:
        context: where to.
        file: the file.
        advance: called with the bytes of each block that was read.

    Raises:
        LakeError: the warehouse cannot be written; a file that is refused is an outcome.
    """
    context.connection.begin()
    try:
        outcome = insert_file(context, file, advance)
        if outcome.outcome == "loaded":
            context.connection.commit()
        else:
            context.connection.rollback()
    except duckdb.Error as error:
        with suppress(duckdb.Error):  # the warehouse may have closed the transaction by itself
            context.connection.rollback()
        raise LakeError(f"{file.path} was not loaded: {explain(error, context.warehouse)}") from error
    return outcome


def insert_file(
    context: LoadContext, file: NewFile, advance: Callable[[int], None], *, reason: str | None = None
) -> FileOutcome:
    """Insert the rows of a file and its batch; the caller's transaction is to be rolled back unless it is ``loaded``.

    Args:
        context: where to.
        file: the file.
        advance: called with the bytes of each block that was read.
        reason: kept in the registry.
    """
    connection, path, table = context.connection, file.path, file.table
    stamps = bronze.Stamps(
        batch_id=file.batch_id,
        batch_seq=batches.next_batch_seq(connection),
        extracted_at=utc_naive(context.extracted_at) if context.extracted_at else None,
        loaded_at=utc_naive(context.now),
    )
    rows = malformed = 0
    try:
        for lines in read_lines(path, sha256=file.content_sha256):
            new_rows, new_malformed = bronze.insert_lines(connection, table, lines, stamps)
            rows += new_rows
            malformed += new_malformed
            advance(lines.bytes_read)
        if not rows and not malformed:
            return FileOutcome(path=path, table=table.name, outcome="empty")
        _refuse_wrong_file(context, table, path, stamps, rows=rows)
    except LakeError as error:
        return FileOutcome(path=path, table=table.name, outcome="refused", problem=str(error))
    batches.register_batch(
        connection,
        stamps=stamps,
        table_name=table.name,
        source_file=path.relative_to(context.folder).as_posix(),
        content_sha256=file.content_sha256,
        row_count=rows,
        malformed_count=malformed,
        reason=reason,
    )
    return FileOutcome(
        path=path, table=table.name, outcome="loaded", rows=rows, malformed=malformed, batch_id=stamps.batch_id
    )


def _refuse_name(path: Path) -> None:
    """Refuse a file whose name no table can hold: archives of other systems have names in other encodings."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = str(path).encode(errors="backslashreplace").decode()
        raise LakeError(f"{shown} has a name that is not UTF-8: rename it; nothing of it was loaded") from None


def _refuse_other_formats(path: Path) -> None:
    """Refuse a file whose first bytes are not those of JSON lines, whatever follows them.

    Raises:
        LakeError: it is such a file, or cannot be read.
    """
    head = head_of(path)
    if kind := binary_kind(head) or spread_kind(head):
        raise LakeError(f"{path} is not a file of JSON lines; it looks like {kind}. Nothing of it was loaded")


def _refuse_wrong_file(context: LoadContext, table: Table, path: Path, stamps: bronze.Stamps, *, rows: int) -> None:
    """Refuse a file without an object, without a required key (a null value is enough), or with keys of another table.

    Raises:
        LakeError: it is such a file; the message says why.
    """
    if not rows:
        looks = text_kind(head_of(path))
        raise LakeError(f"{path} has no JSON object in any line; it looks like {looks}. Nothing of it was loaded")
    missing = [
        column.name
        for column in table.value_columns
        if column.required
        and not bronze.has_value(context.connection, table, column, batch_id=stamps.batch_id)
        and not bronze.has_key(context.connection, table, column, batch_id=stamps.batch_id)
    ]
    keys = bronze.first_keys(context.connection, table, batch_id=stamps.batch_id)
    own = known_keys(table, keys)
    likely = likely_tables(keys, context.tables.values())
    likely.pop(table.name, None)
    if missing or any(own < known for known in likely.values()):
        why = f"no line has {', '.join(missing)}" if missing else f"it has only {', '.join(sorted(own))} of its keys"
        hint = f"; it looks like {' or '.join(likely)}" if likely else ""
        raise LakeError(f"{path} does not fit bronze.{table.name}: {why}{hint}. Nothing of it was loaded")
