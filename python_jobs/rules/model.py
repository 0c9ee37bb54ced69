"""The check of the loaded rules as a dbt model: a thin edge over ``read_rules`` for every engine."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import pyarrow as pa

from python_jobs.rules.versions import RuleReading, Version, column_faults, read_rules

_SCHEMA = pa.schema(
    [
        ("rule_id", pa.string()),
        ("domain", pa.string()),
        ("metric", pa.string()),
        ("scope", pa.string()),
        ("threshold", pa.float64()),
        ("severity_map", pa.string()),
        ("allowed_values", pa.string()),
        ("effective_start", pa.string()),
        ("comment", pa.string()),
        ("fault", pa.string()),
    ]
)


def rules_read(session: Any, *, rules: Any) -> Any:
    """Read the rules as dbt has loaded them.

    Args:
        session: the session of the engine that dbt hands to Python models.
        rules: the seed ``rules``, native frame of the engine.

    Returns:
        A native frame with one row per version (``effective_start``: ISO 8601, UTC), or, where the rules cannot be
        read, one row whose ``fault`` says why in one line.
    """
    reading = read_rule_table(nw.from_native(rules).lazy().collect("pyarrow"))
    rows = [_row(version) for version in reading.versions] or [{"fault": reading.problem}]
    if not hasattr(session, "createDataFrame"):
        return pa.Table.from_pylist(rows, schema=_SCHEMA)
    types_of_spark = {pa.string(): "string", pa.float64(): "double"}
    return session.createDataFrame(
        [tuple(row.get(name) for name in _SCHEMA.names) for row in rows],
        ", ".join(f"{field.name} {types_of_spark[field.type]}" for field in _SCHEMA),
    )


def read_rule_table(loaded: nw.DataFrame[Any]) -> RuleReading:
    """Read a table with the columns of the file."""
    faults = column_faults(loaded.columns)
    if faults:
        return RuleReading(faults=tuple(faults))
    return read_rules(list(loaded.iter_rows(named=True)))


def _row(version: Version) -> dict[str, Any]:
    start = version.start.isoformat() if version.start else None
    fields = {name: getattr(version, name) for name in _SCHEMA.names if hasattr(version, name)}
    return fields | {"effective_start": start}
