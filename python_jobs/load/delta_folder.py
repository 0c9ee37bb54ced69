"""Loading a folder of JSON lines into Bronze on Delta Lake, by the same reading, typing and refusing as into DuckDB.

The files are loaded into a scratch DuckDB that knows the registry of the Delta warehouse; each new batch leaves it as
Parquet and is appended to Delta by the protocol of ``python_jobs.load.delta``. Memory stays bounded, because DuckDB
works from the disk and Spark reads the Parquet files in pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from python_jobs.contracts import Table, read_contracts
from python_jobs.instants import epoch_us
from python_jobs.load import bronze
from python_jobs.load.batches import Batch, copy_batches, list_batches
from python_jobs.load.delta import MALFORMED, DeltaBronze, NewBatch, RegisteredBatch
from python_jobs.load.folder import LoadReport, Progress, load_folder
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
        progress: told about the files looked at, the tables checked and the bytes loaded.

    Raises:
        LakeError: as ``load_folder``; or another load keeps taking our batches away.
    """
    target = DeltaBronze(session, read_contracts(project_dir))
    target.create_tables()
    if staging is not None:
        staging.mkdir(parents=True, exist_ok=True)
    # DuckDB writes its file in any order, which the mounts of a cluster do not take: only Parquet goes to the staging
    with (
        TemporaryDirectory(prefix="plura-load-") as place,
        TemporaryDirectory(prefix="plura-load-", dir=staging) as work,
    ):
        scratch = Path(place) / "scratch.duckdb"
        known = {batch.batch_id: batch for batch in target.batches() if batch.status in {"loaded", "withdrawn"}}
        _give_registry(scratch, target.tables, known.values())
        report = load_folder(
            project_dir=project_dir,
            warehouse=scratch,
            folder=folder,
            now=now,
            extracted_at=extracted_at,
            validator=validator,
            progress=progress,
        )
        with open_duckdb(scratch) as connection:
            read = list_batches(connection)
            new = [batch for batch in read if batch.batch_id not in known]
            hashes = dict(connection.execute("select batch_id, content_sha256 from bronze.load_registry").fetchall())
            at_work = target.recover(but_not=[batch.batch_id for batch in new])
            for first in range(0, len(new), FILES_AT_ONCE):
                given = [
                    NewBatch(
                        batch_id=batch.batch_id,
                        table_name=batch.table_name,
                        source_file=batch.source_file,
                        content_sha256=hashes[batch.batch_id],
                        extracted_at=extracted_at,
                        loaded_at=now.astimezone(UTC),
                        row_count=batch.row_count,
                        malformed_count=batch.malformed_count,
                    )
                    for batch in new[first : first + FILES_AT_ONCE]
                ]
                _copy_batches(target, connection, given, Path(work))
        again = [one for one in read if one.batch_id in known and known[one.batch_id].status != one.status]
        if again:
            target.set_status([one.batch_id for one in again], "loaded", reason="loaded again", now=now)
    report.warnings += [
        f"batch {batch.batch_id} ({batch.source_file}) is being loaded since {batch.status_changed_at:%H:%M:%S} UTC;"
        " Silver goes no further until it is there"
        for batch in at_work
    ]
    return report


def _copy_batches(
    target: DeltaBronze, connection: duckdb.DuckDBPyConnection, batches: list[NewBatch], work: Path
) -> None:
    """Bring batches from the scratch warehouse to Delta, again if another load took them for lost in between."""
    for _ in range(_ATTEMPTS):
        registered = target.begin(batches)
        loading = [one for one in registered.values() if one.status == "loading"]
        for batch in loading:
            for table, rows in _frames(target, connection, batch, work):
                target.append(batch, table, rows)
        for taken in target.finish(loading):
            target.settle(taken)
        batches = [one for one in batches if one.batch_id in _unfinished(target, batches)]
        if not batches:
            return
    raise LakeError(f"{batches[0].source_file} was not loaded: another load keeps taking it over; load it again")


def _unfinished(target: DeltaBronze, batches: list[NewBatch]) -> set[str]:
    ended = {"loaded", "withdrawn"}
    return {one.batch_id for one in target.batches(one.batch_id for one in batches) if one.status not in ended}


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


def _give_registry(path: Path, tables: dict[str, Table], batches: Iterable[Batch]) -> None:
    """Make the scratch warehouse with what the Delta warehouse has loaded or withdrawn."""
    with open_duckdb(path, create=True) as connection:
        bronze.create_tables(connection, tables)
        copy_batches(connection, batches)
