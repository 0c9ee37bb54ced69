"""Compares the tables of a lake with the oracle's, and with those of another moment."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tests.lakes import CLOCKS, Lake
from tests.oracle.lake import TableRow

SHOWN = 4
"""Rows that a difference shows of each side."""

NEWEST_DAY_ROWS = (
    "window_kind = 'day' and evaluation = (select max(newer.evaluation) from silver.dq_status as newer where"
    " newer.source_table = dq_status.source_table and newer.window_kind = dq_status.window_kind"
    " and newer.window_start_ts = dq_status.window_start_ts)"
)
OF_DAYS = "window_end_ts is null or window_end_ts - window_start_ts >= interval 1 day"
COUNTED = {
    "silver.dq_status": NEWEST_DAY_ROWS,
    "gold.exception_ledger": f"resolved_at is null and ({OF_DAYS})",
}
"""Condition of the rows that count, where not all do: alarms of the running day come and go with the runs."""

HISTORY = {
    "silver.dq_status": {"evaluation", "status_id"},
    "gold.exception_ledger": {"resolution", "resolved_at"},
}
"""Columns that tell how often a row was judged before, which a run from scratch cannot know."""

LOGS = {
    "silver.bad_records",
    "silver.bad_records_purged",
    "silver.change_log",
    "gold.pipeline_day",
    "gold.event_outbox",
    "gold.event_delivery",
}
"""Tables that tell what runs did, which differs by design between one run and several."""

STATE = "gold.pipeline_state"
"""Every run leaves its mark here."""


def differences(lake: Lake, wanted: Mapping[str, Sequence[TableRow]], *, logs: bool = False) -> list[str]:
    """What the lake's tables lack of the oracle's rows or hold beyond them; one line per table.

    Of silver.bad_records only a lack counts, and not the reason, unless `logs` is set: it is a log.
    """
    found = []
    for table, rows in wanted.items():
        columns = sorted(rows[0]) if rows else []
        if table == "silver.bad_records" and not logs:
            columns = [column for column in columns if column != "reason"]
        there = lake.table(table, where=COUNTED.get(table, "true"))
        lacking, beyond = _apart(there, rows, columns)
        if table == "silver.bad_records" and not logs:
            beyond.clear()
        if lacking or beyond:
            found.append(_shown(table, lacking, beyond))
    return found


def published(lake: Lake, *, clocks: bool = False) -> dict[str, list[TableRow]]:
    """Every row of Silver and Gold that counts; with `clocks` all rows of all tables, and by which run and when."""
    models = [node for node in lake.manifest.nodes.values() if node.resource_type == "model"]
    names = {f"{node.schema}.{node.alias}" for node in models if node.config.contract.enforced} - {STATE}
    if clocks:
        return {name: _rows(lake, name, "true", set()) for name in sorted(names)}
    return {
        name: _rows(lake, name, COUNTED.get(name, "true"), CLOCKS | HISTORY.get(name, set()))
        for name in sorted(names - LOGS)
    }


def windows_and_exceptions(lake: Lake) -> dict[str, list[TableRow]]:
    """The newest evaluation of every window, tiles included, every open exception, and the days computed."""
    newest = (
        "evaluation = (select max(newer.evaluation) from silver.dq_status as newer where"
        " newer.source_table = dq_status.source_table and newer.window_kind = dq_status.window_kind"
        " and newer.window_start_ts = dq_status.window_start_ts)"
    )
    found = {
        name: _rows(lake, name, where, CLOCKS | HISTORY.get(name, set()))
        for name, where in (("silver.dq_status", newest), ("gold.exception_ledger", "resolved_at is null"))
    }
    return found | {"gold.pipeline_day": _rows(lake, "gold.pipeline_day", "true", CLOCKS | {"change_seq"})}


def changes(before: Mapping[str, list[TableRow]], after: Mapping[str, list[TableRow]]) -> list[str]:
    """How two answers of `published` differ; one line per table."""
    found = []
    for table in sorted(before.keys() | after.keys()):
        old, new = before.get(table, []), after.get(table, [])
        lacking, beyond = _apart(new, old, sorted((old or new or [{}])[0]))
        if lacking or beyond:
            found.append(_shown(table, lacking, beyond))
    return found


def _rows(lake: Lake, table: str, where: str, without: set[str]) -> list[TableRow]:
    columns = [
        column
        for (column,) in lake.sql(
            "select column_name from information_schema.columns where table_schema || '.' || table_name = ?", [table]
        )
        if column not in without
    ]
    return lake.table(table, columns, where)


def _apart(
    there: Iterable[TableRow], wanted: Iterable[TableRow], columns: Sequence[str]
) -> tuple[Counter[Any], Counter[Any]]:
    """Rows that are wanted and not there, and rows that are there and not wanted."""
    have = Counter(_comparable(row, columns) for row in there)
    want = Counter(_comparable(row, columns) for row in wanted)
    return want - have, have - want


def _comparable(row: TableRow, columns: Sequence[str]) -> tuple[tuple[str, Any], ...]:
    """A row cut to columns; a message counts by its content, figures in it by six digits."""
    return tuple((name, _content(name, row[name])) for name in columns or sorted(row))


def _content(name: str, value: Any) -> Any:
    if name != "message":
        return str(value) if isinstance(value, dict | list) else value
    figures = json.loads(value, parse_float=Decimal, parse_int=Decimal)
    return str({key: f"{value:.6f}" if isinstance(value, Decimal) else value for key, value in figures.items()})


def _shown(table: str, lacking: Counter[Any], beyond: Counter[Any]) -> str:
    """One line per table: where rows of both sides belong together, only what tells them apart."""

    def some(rows: Counter[Any]) -> list[dict[str, str]]:
        return [{name: str(value) for name, value in row} for row in list(rows)[:SHOWN]]

    return f"{table}: {lacking.total()} lacking {some(lacking)}, {beyond.total()} beyond {some(beyond)}"
