"""Replacing a batch with a corrected file: the batch is withdrawn and the file loaded in one step."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from python_jobs.contracts import Table, read_contracts
from python_jobs.load import batches, bronze
from python_jobs.load.batches import Batch, reason_of_new, reason_of_old
from python_jobs.load.days import days_of_batches, rows_of
from python_jobs.load.file import (
    FileOutcome,
    LoadContext,
    NewFile,
    bytes_of,
    insert_file,
    inspect_file,
    malformed_warning,
)
from python_jobs.progress import Progress, no_progress
from python_jobs.report import DuckDBReader, Reader
from python_jobs.warehouse import LakeError, explain, open_duckdb

if TYPE_CHECKING:
    from python_jobs.validate import Validator


@dataclass(kw_only=True)
class ReplaceReport:
    """A batch that was replaced, the batch that replaces it, warnings, and the KST days of the lines of both.

    ``is_new`` is false if the batch had been replaced before, so that nothing changed.
    """

    old: Batch
    new: Batch
    is_new: bool = True
    warnings: list[str] = field(default_factory=list)
    days: set[date] = field(default_factory=set)


def replace_batch(
    *,
    project_dir: Path,
    warehouse: Path,
    batch_id: str,
    file: Path,
    reason: str,
    now: datetime,
    extracted_at: datetime | None = None,
    validator: Validator | None = None,
    progress: Progress | None = None,
) -> ReplaceReport:
    """Withdraw a batch and load a file in its place, in one transaction.

    Args:
        project_dir: the dbt project with the contract.
        warehouse: the DuckDB file.
        batch_id: the batch, or a beginning of its id that no other batch shares.
        file: a file of JSON lines of the same table, plain or gzip.
        reason: why, kept in the registry.
        now: instant of the change, aware.
        extracted_at: extraction instant of lines that carry none, aware; by default that of the batch.
        validator: checks the file with Great Expectations first.
        progress: called with the bytes loaded.

    Raises:
        LakeError: no or several batches match, the batch is withdrawn, or the file is refused; nothing changed.
    """
    tables = read_contracts(project_dir)
    with open_duckdb(warehouse) as connection:
        bronze.create_tables(connection, tables)
        old = batches.match_batch(batches.list_batches(connection), batch_id)
        if extracted_at is None:
            (stored,) = connection.execute(
                "select extracted_at from bronze.load_registry where batch_id = ?", [old.batch_id]
            ).fetchall()
            extracted_at = stored[0].replace(tzinfo=UTC) if stored[0] else None
        context = LoadContext(
            connection=connection,
            tables=tables,
            folder=file.parent,
            warehouse=warehouse,
            extracted_at=extracted_at,
            now=now,
        )
        new = inspect_replacement(context, file, old)
        reader = DuckDBReader(connection)
        if isinstance(new, Batch) and is_done(old, new):
            return ReplaceReport(old=old, new=new, is_new=False)
        refuse_withdrawn(old)
        warnings = findings_of(validator, file, tables[old.table_name]) if isinstance(new, NewFile) else []
        connection.begin()
        try:
            batches.set_batch_status(
                connection, old.batch_id, "withdrawn", reason=reason_of_old(new.batch_id, reason), now=now
            )
            outcome = _load_replacement(context, new, reason_of_new(old.batch_id, reason), progress)
            if outcome is not None and outcome.outcome != "loaded":
                connection.rollback()
                raise LakeError(refusal(outcome, file))
            connection.commit()
        except duckdb.Error as error:
            with suppress(duckdb.Error):  # the warehouse may have closed the transaction by itself
                connection.rollback()
            raise LakeError(f"{file} was not loaded: {explain(error, warehouse)}") from error
        known = {batch.batch_id: batch for batch in batches.list_batches(connection)}
        report = ReplaceReport(old=known[old.batch_id], new=known[new.batch_id], warnings=warnings)
        add_replacement_findings(reader, tables, report, file)
    return report


def inspect_replacement(context: LoadContext, file: Path, old: Batch) -> NewFile | Batch:
    """Return the file that is to replace a batch, or the batch that has its content already.

    Raises:
        LakeError: it is not a file, is named or made for another table, cannot be read, or is what the batch holds.
    """
    table = context.tables[old.table_name]
    if not file.is_file():
        raise LakeError(f"{file} is not a file: name the one that replaces batch {old.batch_id}")
    for name in (file.name.split(".", 1)[0], file.resolve().parent.name):
        named = next(
            (table for table in context.tables.values() if name in {table.name, table.source} and table.source), None
        )
        if named and named.name != table.name:
            raise LakeError(
                f"{file} is named as a file of {named.source}, but batch {old.batch_id} is of {table.source}:"
                " a batch is replaced with a file of its own table"
            )
        if named:
            break
    found = inspect_file(context, file, table)
    if isinstance(found, FileOutcome):
        raise LakeError(found.problem)
    if found.batch_id == old.batch_id:
        raise LakeError(f"{file} is what batch {old.batch_id} holds: there is nothing to replace")
    return found


def is_done(old: Batch, new: Batch) -> bool:
    """Whether a batch was replaced by another one before."""
    return (
        old.status == "withdrawn"
        and new.status == "loaded"
        and (old.reason or "").startswith(reason_of_old(new.batch_id, ""))
    )


def refuse_withdrawn(old: Batch) -> None:
    """Refuse to replace a batch that is withdrawn already.

    Raises:
        LakeError: the batch is withdrawn.
    """
    if old.status == "withdrawn":
        raise LakeError(
            f"batch {old.batch_id} ({old.source_file}) is withdrawn already ({old.reason}): load the file with"
            " plura lake load, or replace the batch that is counted (plura lake batches)"
        )


def findings_of(validator: Validator | None, file: Path, table: Table) -> list[str]:
    """Return what Great Expectations finds in a file, a line for each."""
    return validator([(file, table)]).get(table.name, []) if validator else []


def refusal(outcome: FileOutcome, file: Path) -> str:
    """Return why a file that was not loaded replaces nothing."""
    return outcome.problem or f"{file} holds no line: nothing was replaced"


def add_replacement_findings(reader: Reader, tables: Mapping[str, Table], report: ReplaceReport, file: Path) -> None:
    """Add to a report the days of both batches, and the keys that the new one lacks."""
    report.days |= days_of_batches(reader, tables, [report.old, report.new])
    table = tables[report.old.table_name]
    keys = ", ".join(table.key)
    known = " and ".join(f"{column} is not null" for column in table.key)
    old, new = (
        f"(select distinct {keys} from bronze.{table.name} where {rows_of([batch])} and {known})"
        for batch in (report.old, report.new)
    )
    same = " and ".join(f"new.{column} = old.{column}" for column in table.key)
    (row,) = reader.rows(
        f"select count(*) as found, count(case when new.{table.key[0]} is null then 1 end) as lost"
        f" from {old} as old left join {new} as new on {same}"
    )
    if row["lost"]:
        report.warnings.append(
            f"{file} has no line for {row['lost']:,} of the {row['found']:,} keys of batch {report.old.batch_id}:"
            " their lines are withdrawn, unless another batch has them"
        )
    if report.new.malformed_count:
        new_batch = report.new
        report.warnings.append(
            malformed_warning(file, new_batch.row_count, new_batch.malformed_count, new_batch.batch_id)
        )


def _load_replacement(
    context: LoadContext, new: NewFile | Batch, reason: str, progress: Progress | None
) -> FileOutcome | None:
    """Load a file in the transaction of the caller and return its outcome; reinstate a batch that has its content."""
    if isinstance(new, NewFile):
        advance = bytes_of(new, progress or no_progress, done=0, total=new.size)
        return insert_file(context, new, advance, reason=reason)
    if new.status != "loaded":
        batches.set_batch_status(context.connection, new.batch_id, "loaded", reason=reason, now=context.now)
    return None
