"""Which tables a line fits by its keys."""

from __future__ import annotations

from collections.abc import Iterable

from python_jobs.contracts import Table


def known_keys(table: Table, keys: set[str]) -> set[str]:
    """Return the keys among ``keys`` that a table knows."""
    return {spelling for column in table.value_columns for spelling in column.spellings} & keys


def likely_tables(keys: set[str], tables: Iterable[Table]) -> dict[str, set[str]]:
    """Return the tables that know most of ``keys`` and require no others, by name, with the keys they know."""
    known = {table.name: known_keys(table, keys) for table in tables if _fits(table, keys)}
    most = max(map(len, known.values()), default=0)
    return {name: own for name, own in known.items() if len(own) == most}


def _fits(table: Table, keys: set[str]) -> bool:
    return table.source is not None and all(
        not keys.isdisjoint(column.spellings) for column in table.value_columns if column.required
    )
