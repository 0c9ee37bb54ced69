"""The DuckDB warehouse: connections, the lock that keeps two runs apart, and driver errors in plain words."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import duckdb

from python_jobs.errors import PluraError

MEMORY_LIMIT = "1GiB"
"""What DuckDB keeps in memory at most while files are loaded and reports are read; the pipelines set their own."""

STORAGE_VERSION = "v1.4.0"
"""The oldest version of DuckDB that opens the files we make; the dbt profile says the same."""

_RETRY_SECONDS = 0.1

_NO_DATABASE_NAMES = {
    "bronze": "a schema of the warehouse",
    "silver": "a schema of the warehouse",
    "gold": "a schema of the warehouse",
    "information_schema": "a schema of every database",
    "main": "reserved",
    "temp": "reserved",
    "system": "reserved",
}
"""Names that have another meaning for DuckDB; the database is named after the file."""

_LAST_BMP = "\uffff"
"""The last character that dbt can write as one character into a Python model, which holds the database's name."""

_NO_DUCKDB_FILE = "{path} is not a DuckDB file: name another one with PLURA_DUCKDB_PATH"

_EXPLAINED = {
    ("No space left", "File too large", "Disk quota"): (
        "no space left to write {path}: free disk space and run the command again, it continues from what was finished"
    ),
    ("not a valid DuckDB database file", "Is a directory"): _NO_DUCKDB_FILE,
    ("Permission denied", "Operation not permitted"): (
        "no permission to write {path}: change its owner, or name another file with PLURA_DUCKDB_PATH"
    ),
    ("Read-only file system",): ("{path} lies on a read-only file system: name another file with PLURA_DUCKDB_PATH"),
    ("Not a directory", "No such file or directory", "File exists"): (
        "the folder of {path} cannot be made: name another file with PLURA_DUCKDB_PATH"
    ),
}


class LakeError(PluraError):
    """A lake command cannot do what it was asked; the text is one line that says why and what to do."""


@contextmanager
def open_duckdb(
    path: Path, *, create: bool = False, read_only: bool = False, wait_seconds: float = 0
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse for the time of the block, with UTC as session time zone.

    Args:
        path: the DuckDB file.
        create: make the file, and the folders above it, when it is missing.
        read_only: write nothing; several readers may have the file open at once.
        wait_seconds: how long to wait while another program has the file open.

    Raises:
        LakeError: the file is missing, no warehouse, in use by another program, cannot be read or written, or the disk
            is full.
    """
    refuse_name(path)
    with plain_errors(path):
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        elif not path.exists():
            raise LakeError(f"there is no warehouse at {path}: load data first (plura lake load DIR)")
        connection = _connect(path, read_only=read_only, deadline=time.monotonic() + wait_seconds)
        try:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute("set enable_progress_bar = false")  # standard output is the command's own
            yield connection
        finally:
            connection.close()


def refuse_name(path: Path) -> None:
    """Refuse a file after which DuckDB, or dbt, cannot name a database.

    Raises:
        LakeError: it is such a file; the message says why.
    """
    name = path.name.lstrip(".").split(".", 1)[0]
    why = None
    if meaning := _NO_DATABASE_NAMES.get(name.lower()):
        why = f"the database is named after the file, and {name!r} is {meaning}"
    elif found := next((char for char in path.name if _is_unusable(char)), None):
        why = f"the database is named after the file, and no name may hold {found!r}"
    elif name != name.strip() or not name:
        why = "the database is named after the file, and no name may begin or end with a blank"
    elif found := next((char for char in str(path.parent) if char in "#?"), None):
        why = f"dbt reads the path as an address, in which {found!r} ends the path"
    if why:
        raise LakeError(
            f"{path} cannot be a warehouse: {why}. Name another file with PLURA_DUCKDB_PATH, for example lake.duckdb"
        )


def _is_unusable(char: str) -> bool:
    return char in "'\";#\\" or char > _LAST_BMP or not char.isprintable()


def _connect(path: Path, *, read_only: bool, deadline: float) -> duckdb.DuckDBPyConnection:
    """Connect as soon as no other program has the file open, at the latest at ``deadline`` (monotonic seconds)."""
    if _is_other_file(path):
        # DuckDB takes a CSV, JSON or Parquet file as a database in memory, and what is written there is lost
        raise LakeError(_NO_DUCKDB_FILE.format(path=path))
    while True:
        try:
            return duckdb.connect(
                str(path),
                read_only=read_only,
                config={
                    "preserve_insertion_order": "false",
                    "memory_limit": MEMORY_LIMIT,
                    "storage_compatibility_version": STORAGE_VERSION,
                },
            )
        except duckdb.IOException as error:
            if not _is_locked(str(error)) or time.monotonic() >= deadline:
                raise
            time.sleep(_RETRY_SECONDS)


def _is_other_file(path: Path) -> bool:
    """Whether a file is there that is neither empty, of which DuckDB makes a new database, nor a database of DuckDB."""
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        return file.read(12)[8:] != b"DUCK"


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn errors of DuckDB and of the file system into one line that says what to do.

    Raises:
        LakeError: in place of such an error.
        KeyboardInterrupt: in place of the error that a query raises when the user interrupts it.
    """
    try:
        yield
    except (duckdb.InterruptException, RuntimeError) as error:
        # an interrupted query raises one or the other, depending on where the signal meets it
        if isinstance(error, duckdb.InterruptException) or "Query interrupted" in str(error):
            raise KeyboardInterrupt from error
        raise
    except (duckdb.Error, OSError) as error:
        raise LakeError(explain(error, path)) from error


def explain(error: BaseException, path: Path) -> str:
    """Return one line for an error of DuckDB or of the file system while working on the warehouse ``path``."""
    text = " ".join(str(error).split())
    return explain_text(text, path) or f"{path}: {text[:300]}"


def explain_text(text: str, path: Path) -> str | None:
    """Return one line for the text of an error while working on the warehouse ``path``, None for an unknown one."""
    if _is_locked(text):
        holder = re.search(r"PID (\d+)", text)
        who = f" (process {holder.group(1)})" if holder else ""
        return f"the warehouse {path} is in use by another program{who}: close it, or pass --wait SECONDS"
    for words, message in _EXPLAINED.items():
        if any(word in text for word in words):
            return message.format(path=path)
    return None


def _is_locked(text: str) -> bool:
    return "Conflicting lock" in text or "being used by another process" in text


@contextmanager
def warehouse_lock(path: Path, *, wait_seconds: float = 0, is_duckdb: bool = True) -> Iterator[None]:
    """Hold the lock of the warehouse: loads and runs on one warehouse never interleave.

    The lock ends with the process, however that ends. Programs that know nothing of the lock (a bare ``dbt build``, a
    DuckDB shell) are waited for as well.

    Args:
        path: the DuckDB file, or the folder of a Spark warehouse.
        wait_seconds: how long to wait while another command holds it.
        is_duckdb: whether the warehouse is a DuckDB file.

    Raises:
        LakeError: another command or program holds the warehouse for longer than ``wait_seconds``, its folder cannot be
            written, or it has a name that no DuckDB file may have.
    """
    if is_duckdb:
        refuse_name(path)
    deadline = time.monotonic() + wait_seconds
    with plain_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(path.name + ".lock").open("a+")
    with lock:
        _take(lock, path, deadline)
        try:
            if path.is_file():  # a warehouse of Spark is a folder, whose lock is all there is
                with plain_errors(path):
                    _connect(path, read_only=False, deadline=deadline).close()
            yield
        finally:
            lock.truncate(0)


def _take(lock: TextIO, path: Path, deadline: float) -> None:
    """Take the lock as soon as it is free and write into it who holds it."""
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() >= deadline:
                lock.seek(0)
                holder = lock.read().strip() or "another process"
                raise LakeError(
                    f"the warehouse {path} is busy with {holder}: try again later, or pass --wait SECONDS"
                ) from None
            time.sleep(_RETRY_SECONDS)
    with plain_errors(path):
        lock.truncate(0)
        lock.write(f"process {os.getpid()}")
        lock.flush()
