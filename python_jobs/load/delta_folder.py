"""Loading a folder of JSON lines into Bronze on Delta Lake, by the same reading, typing and refusing as into DuckDB.

The files are loaded into a scratch DuckDB that knows the registry of the Delta warehouse; each new batch leaves it as
Parquet and is appended to Delta by the protocol of ``python_jobs.load.delta``. Memory stays bounded, because DuckDB
works from the disk and Spark reads the Parquet files in pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from python_jobs.contracts import read_contracts
from python_jobs.instants import epoch_us
from python_jobs.load import bronze
from python_jobs.load.batches import Batch, copy_batches, list_batches, match_batch, reason_of_new
from python_jobs.load.delta import ENDED, MALFORMED, DeltaBronze, NewBatch, RegisteredBatch
from python_jobs.load.file import LoadContext, LoadReport, NewFile, bytes_of, load_file
from python_jobs.load.findings import add_findings
from python_jobs.load.folder import load_listing
from python_jobs.load.names import list_folder
from python_jobs.load.replace import (
    ReplaceReport,
    add_replacement_findings,
    findings_of,
    inspect_replacement,
    is_done,
    refusal,
    refuse_withdrawn,
)
from python_jobs.progress import Progress, no_progress
from python_jobs.report import SparkReader
from python_jobs.spark import suit
from python_jobs.warehouse import LakeError, open_duckdb

if TYPE_CHECKING:
    import duckdb
    from pyspark.sql import DataFrame, SparkSession

    from python_jobs.validate import Validator

FILES_AT_ONCE = 32
"""Files whose batches are registered and finished together; Silver waits for them all."""

_ATTEMPTS = 3


def load_folder_into_delta(
    session: SparkSession,
    *,
    project_dir: Path,
    folder: Path,
    now: datetime,
    staging: Path | None = None,
    extracted_at: datetime | None = None,
    validator: Validator | None = None,
    progress: Progress | None = None,
) -> LoadReport:
    """Load every file of a folder that was not loaded before; see ``load_folder``.

    A load that was killed leaves batches that Silver does not read; loading the same folder again finishes them, and
    any later load settles those that nobody comes back to.

    Args:
        session: where Bronze lies.
        project_dir: the dbt project with the contract.
        folder: where the files lie.
        now: instant of the load, aware.
        staging: folder for the Parquet files on their way, which the executors of the session must be able to read;
            by default one for temporary files, which does for a session of this machine.
        extracted_at: extraction instant of lines that carry none, aware.
        validator: checks the new files with Great Expectations first.
        progress: called with the files inspected, the tables checked and the bytes loaded.

    Raises:
        LakeError: as ``load_folder``; or another load keeps taking over our batches.
    """
    target = DeltaBronze(session, read_contracts(project_dir))
    listing = list_folder(folder, target.tables)
    suit(session, 0)  # statements about the registry alone, until the lines are counted
    target.create_tables()
    known = _read_batches(target)
    with _scratch(target, known.values(), staging) as (connection, scratch, work):
        context = LoadContext(
            connection=connection,
            tables=target.tables,
            folder=folder,
            warehouse=scratch,
            extracted_at=extracted_at,
            now=now,
        )
        report = load_listing(context, listing, validator=validator, progress=progress)
        read = list_batches(connection)
        new = [batch for batch in read if batch.batch_id not in known]
        suit(session, sum(batch.row_count for batch in read))
        at_work = target.recover(but_not=[batch.batch_id for batch in new])
        for first in range(0, len(new), FILES_AT_ONCE):
            some = new[first : first + FILES_AT_ONCE]
            _copy_batches(target, connection, _given(connection, some, extracted_at, now), work)
    again = [batch for batch in read if batch.batch_id in known and known[batch.batch_id].status != batch.status]
    if again:
        target.set_status([batch.batch_id for batch in again], "loaded", reason="loaded again", now=now)
    add_findings(
        SparkReader(session),
        target.tables,
        target.batches(),
        report,
        extracted_at=extracted_at,
        now=now,
        hold=lambda _name, query: f"({query})",
    )
    report.warnings += [
        f"batch {batch.batch_id} ({batch.source_file}) is being loaded since {batch.status_changed_at:%H:%M:%S} UTC;"
        " Silver goes no further until it is there"
        for batch in at_work
    ]
    return report


def replace_batch_in_delta(
    session: SparkSession,
    *,
    project_dir: Path,
    batch_id: str,
    file: Path,
    reason: str,
    now: datetime,
    staging: Path | None = None,
    extracted_at: datetime | None = None,
    validator: Validator | None = None,
    progress: Progress | None = None,
) -> ReplaceReport:
    """Withdraw a batch and load a file in its place; see ``replace_batch``.

    The rows of the file are appended first, where nobody reads them; then one statement loads the new batch and
    withdraws the old one. If the process is killed before it, the old batch still counts, and the same command
    continues from there, as does any later load that finds the new batch complete.

    Raises:
        LakeError: as ``replace_batch``.
    """
    target = DeltaBronze(session, read_contracts(project_dir))
    target.create_tables()
    known = _read_batches(target)
    old = match_batch(target.batches(), batch_id)
    if old.status not in {"loaded", "withdrawn"}:
        raise LakeError(f"batch {old.batch_id} ({old.source_file}) is {old.status}: load its file again first")
    if extracted_at is None and (stored := known[old.batch_id].extracted_at):
        extracted_at = stored.replace(tzinfo=UTC)
    with _scratch(target, known.values(), staging) as (connection, scratch, work):
        context = LoadContext(
            connection=connection,
            tables=target.tables,
            folder=file.parent,
            warehouse=scratch,
            extracted_at=extracted_at,
            now=now,
        )
        new = inspect_replacement(context, file, old)
        if isinstance(new, Batch) and is_done(old, new):
            return ReplaceReport(old=old, new=new, is_new=False)
        refuse_withdrawn(old)
        warnings = []
        if isinstance(new, NewFile):
            warnings = findings_of(validator, file, target.tables[old.table_name])
            outcome = load_file(context, new, bytes_of(new, progress or no_progress, done=0, total=new.size))
            if outcome.outcome != "loaded":
                raise LakeError(refusal(outcome, file))
            loaded = [batch for batch in list_batches(connection) if batch.batch_id == new.batch_id]
            given = _given(connection, loaded, extracted_at, now, reason=reason_of_new(old.batch_id, reason))
            _copy_batches(target, connection, given, work)
    if target.batches([old.batch_id])[0].status == "loaded":
        # the file was in a batch before, or another load was faster
        target.swap(new.batch_id, old.batch_id, reason=reason, now=now)
    both = {batch.batch_id: batch for batch in target.batches([old.batch_id, new.batch_id])}
    report = ReplaceReport(old=both[old.batch_id], new=both[new.batch_id], warnings=warnings)
    add_replacement_findings(SparkReader(session), target.tables, report, file)
    return report


def _read_batches(target: DeltaBronze) -> dict[str, RegisteredBatch]:
    """The batches that are whole, by their ids."""
    return {batch.batch_id: batch for batch in target.batches() if batch.status in {"loaded", "withdrawn"}}


@contextmanager
def _scratch(
    target: DeltaBronze, known: Iterable[RegisteredBatch], staging: Path | None
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path, Path]]:
    """Yield a DuckDB with the registry of the Delta warehouse, its file, and a folder for Parquet files."""
    if staging is not None:
        staging.mkdir(parents=True, exist_ok=True)
    # DuckDB writes its file in any order, which the mounts of a cluster do not take: only Parquet goes to the staging
    with (
        TemporaryDirectory(prefix="plura-load-") as place,
        TemporaryDirectory(prefix="plura-load-", dir=staging) as work,
    ):
        scratch = Path(place) / "scratch.duckdb"
        with open_duckdb(scratch, create=True) as connection:
            bronze.create_tables(connection, target.tables)
            copy_batches(connection, known)
            yield connection, scratch, Path(work)


def _given(
    connection: duckdb.DuckDBPyConnection,
    batches: Sequence[Batch],
    extracted_at: datetime | None,
    now: datetime,
    *,
    reason: str | None = None,
) -> list[NewBatch]:
    """Return batches of the scratch warehouse as rows for the registry of the Delta warehouse."""
    hashes = dict(connection.execute("select batch_id, content_sha256 from bronze.load_registry").fetchall())
    return [
        NewBatch(
            batch_id=batch.batch_id,
            table_name=batch.table_name,
            source_file=batch.source_file,
            content_sha256=hashes[batch.batch_id],
            extracted_at=extracted_at,
            loaded_at=now.astimezone(UTC),
            row_count=batch.row_count,
            malformed_count=batch.malformed_count,
            reason=reason,
        )
        for batch in batches
    ]


def _copy_batches(
    target: DeltaBronze, connection: duckdb.DuckDBPyConnection, batches: list[NewBatch], work: Path
) -> None:
    """Bring batches from the scratch warehouse to Delta, again if another load took them for lost in between."""
    for _ in range(_ATTEMPTS):
        registered = target.begin(batches)
        loading = [batch for batch in registered.values() if batch.status == "loading"]
        for batch in loading:
            for table, rows in _frames(target, connection, batch, work):
                target.append(batch, table, rows)
        for taken in target.finish(loading):
            target.settle(taken)
        unfinished = _unfinished(target, batches)
        batches = [batch for batch in batches if batch.batch_id in unfinished]
        if not batches:
            return
    raise LakeError(f"{batches[0].source_file} was not loaded: another load keeps taking it over; load it again")


def _unfinished(target: DeltaBronze, batches: list[NewBatch]) -> set[str]:
    return {
        batch.batch_id for batch in target.batches(batch.batch_id for batch in batches) if batch.status not in ENDED
    }


def _frames(
    target: DeltaBronze, connection: duckdb.DuckDBPyConnection, batch: RegisteredBatch, work: Path
) -> Iterator[tuple[str, DataFrame]]:
    """The rows of a batch by table, as Spark reads them from a Parquet file that is gone afterwards."""
    file = work / f"{batch.batch_id}.parquet"
    counts = {MALFORMED: batch.malformed_count, batch.table_name: batch.row_count}
    for table, count in counts.items():
        if not count:
            continue
        # a batch that an earlier load registered keeps the instant of that load
        columns = [
            f"cast(make_timestamp({epoch_us(batch.loaded_at)}) as timestamptz) as ingested_at"
            if column.name == "ingested_at"
            else f"cast({column.name} as timestamptz) as {column.name}"
            if column.data_type == "timestamp"
            else column.name
            for column in target.tables[table].columns
            if column.name != "ingest_seq"
        ]
        connection.execute(
            f"copy (select {', '.join(columns)} from bronze.{table} where batch_id = '{batch.batch_id}')"
            f" to '{str(file).replace(chr(39), chr(39) * 2)}' (format parquet, compression zstd)"
        )
        yield table, target.session.read.parquet(str(file))
        file.unlink()
