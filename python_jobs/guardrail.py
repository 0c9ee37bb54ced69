"""Figures of the data quality guardrail.

One code path for DuckDB relations and Spark data frames: everything is a lazy narwhals expression, so the rows stay in
the engine and only the limits of the windows and the names of the sources (a few rows) reach the driver.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import narwhals as nw

from python_jobs.instants import KST

_DAY = timedelta(days=1)

_LOOK_BACK = 2 * _DAY
"""How far before the first window the newest row of a living source is looked for; daily extracts are a day apart."""


def window_metrics(*, rows: Any, windows: Any) -> Any:
    """Count the rows of every window that is to be evaluated, and find the newest source times before its end.

    Args:
        rows: one row per Bronze row (model int_guarded_rows), native frame of the engine.
        windows: the windows to evaluate (model dq_windows), native frame of the engine.

    Returns:
        A native frame. Kinds ``day`` and ``tile``: one row per window that holds rows, by the time of the row, with
        ``event_count`` rows, ``bad_count`` of them against the contract, ``usable_count`` with a usable key, and
        ``distinct_count`` distinct (key, version time). Kinds ``seen_day`` and ``seen_tile``: one row per source and
        day or tile in which it was seen, with ``newest_source_ts`` (UTC). Seen days reach back to the last one before
        all windows; seen tiles to the start of the day of the first tile.
    """
    known = nw.from_native(rows).filter(~nw.col("is_withdrawn"))
    wanted = nw.from_native(windows)
    limits, earliest = _limits(wanted)
    if not limits:
        return _newest(known.filter(nw.col("source_table").is_null()), "day").to_native()
    first_day = min(_day_start(low) for low, _ in limits.values())
    end = max(high for _, high in limits.values())
    parts = [_newest(_seen(known, first_day, end), "day")]
    for kind, (low, high) in limits.items():
        windows_of_kind = wanted.filter(nw.col("window_kind") == kind).select(
            "source_table", nw.col("window_start_ts").alias(f"{kind}_start")
        )
        of_kind = _between(known, low, high, earliest)
        in_windows = of_kind.join(windows_of_kind, on=["source_table", f"{kind}_start"], how="semi")
        parts.append(_counts(in_windows, kind))
        if kind == "tile":
            parts.append(_newest(_between(known, _day_start(low), high, earliest), "tile"))
    return nw.concat(parts, how="vertical").to_native()


def _limits(windows: nw.LazyFrame[Any]) -> tuple[dict[str, tuple[datetime, datetime]], datetime | None]:
    """Start of the first and end of the last window of each kind that there is, and the earliest accepted instant."""
    limits = windows.group_by("window_kind").agg(
        nw.col("window_start_ts").min().alias("low"),
        nw.col("window_end_ts").max().alias("high"),
        nw.col("earliest_instant").max().alias("earliest"),
    )
    rows = list(limits.collect("pyarrow").iter_rows(named=True))
    earliest = [row["earliest"] for row in rows if row["earliest"] is not None]
    return {row["window_kind"]: (row["low"], row["high"]) for row in rows}, max(earliest, default=None)


def _day_start(instant: datetime) -> datetime:
    """Start of the KST day of an instant, both in UTC."""
    return (instant + KST).replace(hour=0, minute=0, second=0, microsecond=0) - KST


def _between(rows: nw.LazyFrame[Any], low: datetime, high: datetime, earliest: datetime | None) -> nw.LazyFrame[Any]:
    """Rows whose time lies in [low, high).

    The third condition follows from the first, because the time of a row is its recorded time unless that is absent or
    implausible. It is a column of Bronze, so the engine skips older rows unread.
    """
    recorded = nw.col("recorded_time")
    has_no_time = recorded.is_null() if earliest is None else recorded.is_null() | (recorded < earliest)
    return rows.filter(nw.col("row_time") >= low, nw.col("row_time") < high, (recorded >= low) | has_no_time)


def _seen(rows: nw.LazyFrame[Any], first_day: datetime, end: datetime) -> nw.LazyFrame[Any]:
    """Rows before ``end`` among which is the newest one before ``first_day`` of every source.

    The whole history is read only for a source that was silent for long.
    """
    since = first_day - _LOOK_BACK
    # where the source time is not NULL it is the recorded time, a column of Bronze: older rows are skipped unread
    recent = rows.filter(
        nw.col("recorded_time") >= since, nw.col("source_time") >= since, nw.col("source_time") < first_day
    )
    living = recent.select("source_table").unique().collect("pyarrow")["source_table"].to_list()
    return rows.filter(
        nw.col("source_time") < end,
        (nw.col("recorded_time") >= since) | ~nw.col("source_table").is_in(living),
    )


def _newest(rows: nw.LazyFrame[Any], unit: str) -> nw.LazyFrame[Any]:
    """Newest source time per source and ``day`` or ``tile``."""
    start = f"{unit}_start"
    return (
        rows.filter(~nw.col("source_time").is_null())
        .group_by("source_table", start)
        .agg(nw.col("source_time").max().alias("newest_source_ts"))
        .select(
            "source_table",
            nw.lit(f"seen_{unit}").alias("window_kind"),
            nw.col(start).alias("window_start_ts"),
            *(nw.lit(None, nw.Int64).alias(name) for name in ("event_count", "bad_count")),
            "newest_source_ts",
            *(nw.lit(None, nw.Int64).alias(name) for name in ("usable_count", "distinct_count")),
        )
    )


def _counts(rows: nw.LazyFrame[Any], kind: str) -> nw.LazyFrame[Any]:
    """Counts per source and window of one kind (``day`` or ``tile``)."""
    start = f"{kind}_start"
    is_usable = ~nw.col("key_1").is_null() & ~nw.col("key_2").is_null() & ~nw.col("version_ts").is_null()
    versions = rows.group_by("source_table", start, "key_1", "key_2", "version_ts").agg(
        nw.len().cast(nw.Int64).alias("copies"),
        nw.col("is_bad").sum().cast(nw.Int64).alias("bad_copies"),
    )
    return (
        versions.with_columns(
            nw.when(is_usable).then(nw.col("copies")).otherwise(0).alias("usable_copies"),
            nw.when(is_usable).then(1).otherwise(0).alias("is_distinct"),
        )
        .group_by("source_table", start)
        .agg(
            nw.col("copies").sum().cast(nw.Int64).alias("event_count"),
            nw.col("bad_copies").sum().cast(nw.Int64).alias("bad_count"),
            nw.col("usable_copies").sum().cast(nw.Int64).alias("usable_count"),
            nw.col("is_distinct").sum().cast(nw.Int64).alias("distinct_count"),
        )
        .select(
            "source_table",
            nw.lit(kind).alias("window_kind"),
            nw.col(start).alias("window_start_ts"),
            "event_count",
            "bad_count",
            nw.lit(None, rows.collect_schema()["source_time"]).alias("newest_source_ts"),
            "usable_count",
            "distinct_count",
        )
    )
