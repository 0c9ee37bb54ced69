"""Lines of a load whose keys are in Bronze already with other values: corrections of what was loaded before.

Silver decides between such lines itself: of an immutable key the earlier line is used, of others the later one. That is
rarely what somebody who corrects a file wants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_jobs.contracts import Column, Table
from python_jobs.load.batches import Batch
from python_jobs.load.bronze import SEQ_PER_BATCH
from python_jobs.load.days import rows_of
from python_jobs.report import Reader

if TYPE_CHECKING:
    import duckdb

MOST_LINES = 20_000_000
"""A load is compared with at most that many lines of a table, the latest ones, so that the cost has a limit."""

Hold = Callable[[str, str], str]
"""Takes the name of a table and a query, and returns the SQL by which another query reads the result."""


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """A new batch that repeats keys of an earlier one with other values.

    ``keys`` of the ``keys_of_batch`` keys of the new batch are in ``earlier``; ``other_batches`` more have some too.
    """

    batch_id: str
    earlier: Batch
    keys: int
    keys_of_batch: int
    other_batches: int


def find_repeats(
    reader: Reader,
    tables: Mapping[str, Table],
    known: Sequence[Batch],
    new_ids: Sequence[str],
    hold: Hold,
) -> list[Repeat]:
    """Return, for each new batch, the earlier batch in which most of its keys are with other values.

    A line is compared only with those of the same version: a newer version of an order is not a correction of it, and
    an extraction at another instant is another snapshot. Lines without a version time are compared with all others
    that have none.

    Args:
        reader: reads the warehouse.
        tables: the contract.
        known: all batches of the warehouse.
        new_ids: ids of those that were loaded now.
        hold: gives the text by which a query reads the result of another query, given a name for it.
    """
    batches = {batch.batch_id: batch for batch in known}
    lines: dict[str, str] = {}
    queries = []
    for name in sorted({batches[batch_id].table_name for batch_id in new_ids}):
        table = tables[name]
        loaded = [batch for batch in known if batch.table_name == name and batch.status == "loaded"]
        if table.key and len(loaded) > 1:
            new = [batch for batch in loaded if batch.batch_id in new_ids]
            lines[name] = hold(name, _new_lines(table, new))
            queries.append(_repeats(table, lines[name], first_seq=_first_seq(loaded)))
    rows = reader.rows(" union all ".join(queries)) if queries else []
    if not rows:
        return []
    by_batch: dict[str, dict[str, int]] = {}
    for row in rows:
        by_batch.setdefault(row["batch_id"], {})[row["earlier"]] = row["found"]
    counted = reader.rows(" union all ".join(_counts(tables[name], text) for name, text in lines.items()))
    keys = {row["batch_id"]: row["found"] for row in counted}
    found = []
    for batch_id in new_ids:
        if repeats := by_batch.get(batch_id):
            earlier = max(repeats, key=lambda earlier_id: (repeats[earlier_id], batches[earlier_id].batch_seq))
            found.append(
                Repeat(
                    batch_id=batch_id,
                    earlier=batches[earlier],
                    keys=repeats[earlier],
                    keys_of_batch=keys[batch_id],
                    other_batches=len(repeats) - 1,
                )
            )
    return found


def held_in(connection: duckdb.DuckDBPyConnection) -> Hold:
    """Return a ``Hold`` that stores results in temporary tables of DuckDB.

    DuckDB then knows how few rows a result has. Otherwise it may keep the larger side of a join in memory.
    """

    def hold(name: str, query: str) -> str:
        connection.execute(f"create or replace temp table new_{name} as {query}")
        return f"new_{name}"

    return hold


def repeat_warning(repeat: Repeat, path: object, table: Table) -> str:
    """Return a warning about the repeated keys of a file: what happens to them, and how to replace the batch."""
    earlier = repeat.earlier
    others = f" and {repeat.other_batches} more" if repeat.other_batches else ""
    outcome = (
        "the earlier lines are used and these are quarantined as conflicting, unless they have a later version time"
        if table.is_immutable
        else "these lines are used"
    )
    return (
        f"{path}: {repeat.keys:,} of {repeat.keys_of_batch:,} keys are already there from batch {earlier.batch_id}"
        f" ({earlier.source_file}){others} with other values: {outcome}. If this file replaces that one:"
        f" plura lake replace {earlier.batch_id} {path} --reason …"
    )


def _new_lines(table: Table, new: Iterable[Batch]) -> str:
    return f"select {', '.join(_columns(table))} from bronze.{table.name} where {rows_of(new)}"


def _counts(table: Table, lines: str) -> str:
    """Query for the number of keys by new batch."""
    distinct = f"select distinct batch_id, {', '.join(table.key)} from {lines} as new"
    return f"select batch_id, count(*) as found from ({distinct}) as keys group by batch_id"


def _repeats(table: Table, lines: str, *, first_seq: int) -> str:
    """Query for the number of keys by new batch and earlier batch, of the lines that differ."""
    version = "coalesce({0}.source_extracted_at, {0}.updated_at)".format
    conditions = [f"new.{column} = earlier.{column}" for column in table.key]
    if table.is_snapshot:
        conditions.append(f"{version('new')} = {version('earlier')}")
    elif not table.is_immutable:
        conditions.append(f"{version('new')} is not distinct from {version('earlier')}")
    differs = " or ".join(
        f"{_comparable(column, 'new')} is distinct from {_comparable(column, 'earlier')}" for column in _content(table)
    )
    keys = ", ".join(f"new.{column}" for column in table.key)
    # of a key that may have several versions only the last line before counts
    ranked = f"row_number() over (partition by new.ingest_seq, {keys} order by earlier.ingest_seq desc)"
    return (
        "select batch_id, earlier, count(*) as found from ("
        f" select distinct batch_id, earlier, {', '.join(table.key)} from ("
        f"  select new.batch_id, earlier.batch_id as earlier, {keys}, {differs} as differs,"
        f"   {'1' if table.is_immutable else ranked} as version_rank"
        f"  from {lines} as new"
        f"  inner join bronze.{table.name} as earlier on {' and '.join(conditions)}"
        f"  where earlier.ingest_seq >= {first_seq} and earlier.ingest_seq < new.ingest_seq"
        "   and earlier.batch_id <> new.batch_id"
        "   and earlier.batch_id in (select batch_id from bronze.load_registry where status = 'loaded')"
        " ) as pairs where differs and version_rank = 1"
        ") as keys group by batch_id, earlier"
    )


def _first_seq(loaded: Sequence[Batch]) -> int:
    """The place in the ingest order from which on lines are compared."""
    lines = 0
    first = 0
    for batch in sorted(loaded, key=lambda batch: -batch.batch_seq):
        lines += batch.row_count
        if lines > MOST_LINES:
            break
        first = batch.batch_seq
    return first * SEQ_PER_BATCH


def _content(table: Table) -> list[Column]:
    """The columns that a correction changes."""
    return [column for column in table.value_columns if column.name not in {*table.key, "updated_at"}]


def _comparable(column: Column, alias: str) -> str:
    name = f"{alias}.{column.name}"
    return f"coalesce({name}, false)" if column.data_type == "boolean" else name


def _columns(table: Table) -> list[str]:
    names = [*table.key, *(column.name for column in _content(table))]
    return [*names, "updated_at", "source_extracted_at", "batch_id", "ingest_seq"]
