"""Findings of a load about its lines in the warehouse: their days, corrections, a wrong instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from python_jobs.contracts import Table
from python_jobs.instants import EARLIEST, LATENESS, utc_naive
from python_jobs.load.batches import Batch
from python_jobs.load.days import days_of_batches
from python_jobs.load.file import LoadReport
from python_jobs.load.repeated import Hold, find_repeats, repeat_warning
from python_jobs.report import Reader

_MOST_NAMED = 5


def add_findings(
    reader: Reader,
    tables: Mapping[str, Table],
    known: Sequence[Batch],
    report: LoadReport,
    *,
    extracted_at: datetime | None,
    now: datetime,
    hold: Hold,
) -> None:
    """Add to a report the days that its files touched, and warnings of corrections and of a wrong extraction instant.

    Args:
        reader: reads the warehouse.
        tables: the contract.
        known: all batches of the warehouse.
        report: the report of the load, which is extended.
        extracted_at: extraction instant that the load was given, aware; None without one.
        now: instant of the load, aware.
        hold: see ``find_repeats``.
    """
    batches = {batch.batch_id: batch for batch in known}
    report.days |= days_of_batches(reader, tables, [batches[batch_id] for batch_id in report.changed])
    paths = {file.batch_id: file.path for file in report.files}
    for repeat in find_repeats(reader, tables, known, report.changed, hold):
        report.warnings.append(
            repeat_warning(repeat, paths[repeat.batch_id], tables[batches[repeat.batch_id].table_name])
        )
    if extracted_at is not None and (why := _implausible(extracted_at, now)):
        loaded = [file.batch_id for file in report.files if file.outcome in {"loaded", "unchanged", "reinstated"}]
        if loaded:
            report.warnings.append(_instant_warning(extracted_at, why, loaded))


def _implausible(instant: datetime, now: datetime) -> str | None:
    """Return why Silver would reject an instant; None if it would not."""
    if utc_naive(instant) < EARLIEST:
        return f"lies before {EARLIEST.year}"
    return "lies in the future" if instant > now + LATENESS else None


def _instant_warning(instant: datetime, why: str, loaded: list[str]) -> str:
    named = " ".join(loaded[:_MOST_NAMED]) + (
        f" (and {len(loaded) - _MOST_NAMED} more: plura lake batches)" if len(loaded) > _MOST_NAMED else ""
    )
    return (
        f"--extracted-at {instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} {why}: the next run quarantines every line that"
        " carries no extraction instant of its own (implausible_time). Take them out with"
        f" plura lake withdraw {named} --reason …, and load the files again with the right instant"
    )
