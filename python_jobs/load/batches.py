"""The registry of load batches: loaded, withdrawn and reinstated files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from python_jobs.instants import utc_naive
from python_jobs.warehouse import LakeError

if TYPE_CHECKING:
    import duckdb

    from python_jobs.load.bronze import Stamps


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One file loaded into one table; ``status`` is ``loaded`` or ``withdrawn``.

    On Delta it may be ``loading`` or ``abandoned`` as well (see ``python_jobs.load.delta``).
    """

    batch_id: str
    batch_seq: int
    table_name: str
    source_file: str
    row_count: int
    malformed_count: int
    status: str
    reason: str | None
    loaded_at: datetime


_COLUMNS = "batch_id, batch_seq, table_name, source_file, row_count, malformed_count, status, reason, loaded_at"


def batch_id_of(table_name: str, content_sha256: str, extracted_at: datetime | None) -> str:
    """Return the id of a file's batch: the same file, table and extraction instant give the same id."""
    instant = utc_naive(extracted_at).isoformat() if extracted_at else ""
    return hashlib.sha256(f"{table_name}|{content_sha256}|{instant}".encode()).hexdigest()[:16]


def find_batch(connection: duckdb.DuckDBPyConnection, batch_id: str) -> Batch | None:
    """Return the batch with an id, or None."""
    # all rows are fetched: DuckDB takes no other work while a result is half read
    rows = connection.execute(f"select {_COLUMNS} from bronze.load_registry where batch_id = ?", [batch_id]).fetchall()
    return _batch(rows[0]) if rows else None


def list_batches(connection: duckdb.DuckDBPyConnection) -> list[Batch]:
    """Return all batches in the order they were first loaded."""
    rows = connection.execute(f"select {_COLUMNS} from bronze.load_registry order by batch_seq").fetchall()
    return [_batch(row) for row in rows]


def next_batch_seq(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the number of the next batch."""
    rows = connection.execute("select coalesce(max(batch_seq), 0) + 1 from bronze.load_registry").fetchall()
    return int(rows[0][0])


def register_batch(
    connection: duckdb.DuckDBPyConnection,
    *,
    stamps: Stamps,
    table_name: str,
    source_file: str,
    content_sha256: str,
    row_count: int,
    malformed_count: int,
    reason: str | None = None,
) -> None:
    """Add a batch to the registry; runs in the transaction of the caller."""
    connection.execute(
        "insert into bronze.load_registry"
        " (batch_id, batch_seq, extracted_at, loaded_at, status_changed_at, table_name, source_file, content_sha256,"
        "  row_count, malformed_count, status, status_seq, reason)"
        " values ($1, $2, $3, $4, $4, $5, $6, $7, $8, $9, 'loaded', 0, $10)",
        [
            stamps.batch_id,
            stamps.batch_seq,
            stamps.extracted_at,
            stamps.loaded_at,
            table_name,
            source_file,
            content_sha256,
            row_count,
            malformed_count,
            reason,
        ],
    )


def copy_batches(connection: duckdb.DuckDBPyConnection, batches: Iterable[Batch]) -> None:
    """Add batches that another registry knows, in one transaction."""
    names = _COLUMNS.split(", ")
    rows = [[getattr(batch, name) for name in names] for batch in batches]
    if not rows:
        return
    marks = ", ".join("?" * len(names))
    connection.begin()
    connection.executemany(f"insert into bronze.load_registry ({_COLUMNS}, status_seq) values ({marks}, 0)", rows)
    connection.commit()


def set_batch_status(
    connection: duckdb.DuckDBPyConnection, batch_id: str, status: str, *, reason: str, now: datetime
) -> Batch:
    """Withdraw a batch from what Silver and the guardrail read, or reinstate it; the next run corrects Silver and Gold.

    Args:
        connection: the warehouse.
        batch_id: the batch, or a beginning of its id that no other batch shares.
        status: ``withdrawn`` or ``loaded``.
        reason: why, kept in the registry.
        now: instant of the change, aware.

    Raises:
        LakeError: no or several batches match, or the batch has that status already.
    """
    match = only_match(list_batches(connection), batch_id, status)
    connection.execute(
        "update bronze.load_registry set status = $2, reason = $3, status_changed_at = $4,"
        " status_seq = (select max(status_seq) + 1 from bronze.load_registry) where batch_id = $1",
        [match.batch_id, status, reason, utc_naive(now)],
    )
    changed = find_batch(connection, match.batch_id)
    assert changed is not None
    return changed


def only_match(batches: list[Batch], batch_id: str, status: str) -> Batch:
    """Return the batch that an id, or the beginning of one, means, which shall get another status.

    Raises:
        LakeError: no or several batches match, or the batch has that status already.
    """
    match = match_batch(batches, batch_id)
    if match.status == status:
        raise LakeError(f"batch {match.batch_id} ({match.source_file}) is {status} already")
    return match


def match_batch(batches: Sequence[Batch], batch_id: str) -> Batch:
    """Return the batch that an id, or the beginning of one, means.

    Raises:
        LakeError: no or several batches match.
    """
    matches = [batch for batch in batches if batch_id and batch.batch_id.startswith(batch_id)]
    if len(matches) != 1:
        what = "no batch" if not matches else f"{len(matches)} batches"
        raise LakeError(f"{what} with the id {batch_id!r}: plura lake batches lists them")
    return matches[0]


def reason_of_new(old_id: str, reason: str) -> str:
    """Return the reason in the registry of a batch that replaces another one."""
    return f"replaces {old_id}: {reason}"


def reason_of_old(new_id: str, reason: str) -> str:
    """Return the reason in the registry of a batch that was replaced."""
    return f"replaced by {new_id}: {reason}"


def replacement_link(batch: Batch) -> tuple[str, str] | None:
    """Return which batch a batch replaces, by its id, and why; None for one that replaces none."""
    match = re.match(r"replaces ([0-9a-f]+): (.*)", batch.reason or "", re.DOTALL)
    return (match[1], match[2]) if match else None


def replacement_of(connection: duckdb.DuckDBPyConnection, batch: Batch) -> Batch | None:
    """Return the batch that is counted in place of a batch, None if it was not replaced or the other is withdrawn."""
    match = re.match(r"replaced by ([0-9a-f]+): ", batch.reason or "")
    new = find_batch(connection, match[1]) if match and batch.status == "withdrawn" else None
    return new if new and new.status == "loaded" else None


def _batch(row: tuple[object, ...]) -> Batch:
    return Batch(**dict(zip(_COLUMNS.split(", "), row, strict=True)))  # type: ignore[arg-type]
