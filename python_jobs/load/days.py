"""The KST days that lines of some batches belong to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from python_jobs.contracts import Table
from python_jobs.instants import EARLIEST, KST, LATENESS
from python_jobs.load.batches import Batch
from python_jobs.load.bronze import SEQ_PER_BATCH
from python_jobs.report import Reader

_KST_HOURS = KST // timedelta(hours=1)
_HALF_A_DAY = 12


def days_of_batches(reader: Reader, tables: Mapping[str, Table], batches: Iterable[Batch]) -> set[date]:
    """Return the KST days that the lines of some batches belong to: their event days, and the days of snapshots.

    Lines without a plausible instant belong to none. A snapshot closes one day and opens the next at the midnight that
    is nearest to it: if there are events of either day, the snapshot adds none. So an extract that is taken soon
    after a day has ended does not name the next day, of which there are no events yet.

    Args:
        reader: reads the warehouse.
        tables: the contract.
        batches: the batches, withdrawn ones too.
    """
    by_table: dict[str, list[Batch]] = {}
    for batch in batches:
        if tables[batch.table_name].dated_by:
            by_table.setdefault(batch.table_name, []).append(batch)
    if not by_table:
        return set()
    rows = reader.rows(" union all ".join(_days_of(tables[name], found) for name, found in by_table.items()))
    events = {row["day"] for row in rows if row["boundary"] is None}
    snapshots = {(row["day"], row["boundary"]) for row in rows if row["boundary"] is not None}
    own_days = {day for day, boundary in snapshots if events.isdisjoint({boundary - timedelta(days=1), boundary})}
    return events | own_days


def rows_of(batches: Iterable[Batch]) -> str:
    """Return the SQL condition for the rows of batches; row groups of other batches are skipped by their numbers."""
    numbers = sorted(batch.batch_seq for batch in batches)
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    terms = [
        f"(ingest_seq >= {first * SEQ_PER_BATCH} and ingest_seq < {(last + 1) * SEQ_PER_BATCH})"
        for first, last in spans
    ]
    return f"({' or '.join(terms)})"


def _days_of(table: Table, batches: list[Batch]) -> str:
    """Query for the distinct days of a table's batches; for snapshots also the day that the nearest midnight begins."""
    instant = f"coalesce({', '.join(table.dated_by)})" if len(table.dated_by) > 1 else table.dated_by[0]
    boundary = f"{instant} + interval '{_KST_HOURS + _HALF_A_DAY}' hour" if table.is_snapshot else "null"
    return (
        f"select distinct cast({instant} + interval '{_KST_HOURS}' hour as date) as day,"
        f" cast({boundary} as date) as boundary"
        f" from bronze.{table.name} where {rows_of(batches)} and {instant} >= timestamp '{EARLIEST}'"
        f" and {instant} <= ingested_at + interval '{LATENESS.days}' day"
    )
