"""The DuckDB warehouse: connections, the lock that keeps two runs apart, and driver errors in plain words."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb


class LakeError(Exception):
    """A lake command cannot do what it was asked; the text is one line that says why and what to do."""


@contextmanager
def open_duckdb(path: Path, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse for the time of the block, with UTC as session time zone.

    Raises:
        LakeError: the file is missing (when read only), locked, no warehouse, or the disk is full.
    """
    if read_only and not path.exists():
        raise LakeError(f"there is no warehouse at {path}: load data first (plura lake load DIR)")
    with plain_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = duckdb.connect(str(path), read_only=read_only, config={"preserve_insertion_order": "false"})
        try:
            connection.execute("set TimeZone = 'UTC'")
            yield connection
        finally:
            connection.close()


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn errors of DuckDB and of the file system into one line that says what to do."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        raise LakeError(explain(error, path)) from error


def explain(error: BaseException, path: Path) -> str:
    """Return one line for an error of DuckDB or of the file system."""
    text = " ".join(str(error).split())
    if "Conflicting lock" in text or "being used by another process" in text:
        holder = re.search(r"PID (\d+)", text)
        who = f" (process {holder.group(1)})" if holder else ""
        return f"the warehouse {path} is in use by another program{who}: close it, or pass --wait SECONDS"
    if "No space left" in text or "File too large" in text or "Disk quota" in text:
        return f"no space left to write {path}: free disk space and run the command again; nothing was half-written"
    if "not a valid DuckDB database file" in text:
        return f"{path} is no DuckDB file: name another one with PLURA_DUCKDB_PATH"
    if isinstance(error, PermissionError) or "Permission denied" in text:
        return f"no permission to write {path}: change its owner, or name another file with PLURA_DUCKDB_PATH"
    return f"{path}: {text[:300]}"


@contextmanager
def warehouse_lock(path: Path, *, wait_seconds: float = 0) -> Iterator[None]:
    """Hold the lock of the warehouse: loads and runs on one warehouse never interleave.

    The lock ends with the process, however that ends.

    Raises:
        LakeError: another command holds the lock for longer than ``wait_seconds``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_seconds
    lock_path = path.with_name(path.name + ".lock")
    with plain_errors(lock_path), lock_path.open("a+") as lock:
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
                time.sleep(0.1)
        lock.truncate(0)
        lock.write(f"process {os.getpid()}")
        lock.flush()
        try:
            yield
        finally:
            lock.truncate(0)
