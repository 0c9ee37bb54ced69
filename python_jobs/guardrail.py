"""Figures of the data quality guardrail.

One code path for DuckDB relations and Spark data frames: everything is a lazy narwhals expression, so the rows stay in
the engine and only the limits of the windows (one row) reach the driver.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import narwhals as nw
import pandas as pd

_DAY = timedelta(days=1)


def window_metrics(*, rows: Any, windows: Any) -> Any:
    """Count the rows of every window that is to be evaluated.

    Args:
        rows: one row per Bronze row (model guardrail_rows), native frame of the engine.
        windows: the windows to evaluate (model dq_windows), native frame of the engine.

    Returns:
        A native frame with one row per source, kind and window that holds rows: ``event_count`` rows, ``bad_count``
        of them against the contract, ``usable_count`` with a usable key, ``distinct_count`` distinct (key, version
        time), and ``newest_source_ts`` (UTC). Kinds are ``day`` and ``tile`` by the row's time, and ``seen``: days by
        source time over the whole history, of which only ``newest_source_ts`` counts.
    """
    known = nw.from_native(rows).filter(~nw.col("is_withdrawn"))
    limits = (
        nw.from_native(windows)
        .select(nw.col("window_start_ts").min().alias("low"), nw.col("window_end_ts").max().alias("high"))
        .collect("pyarrow")
        .to_pandas()
    )
    low, high = limits["low"].iloc[0], limits["high"].iloc[0]
    if pd.isna(low):  # no window at all
        return _figures(known.filter(nw.col("source_table").is_null()), "day").to_native()
    # tiles look back to the start of their day for the newest source time
    in_range = known.filter(nw.col("row_time") >= low.to_pydatetime() - _DAY, nw.col("row_time") < high.to_pydatetime())
    seen = (
        known.filter(nw.col("source_time") < high.to_pydatetime())
        .group_by("source_table", "seen_day_start")
        .agg(nw.col("source_time").max().alias("newest_source_ts"))
        .select(
            "source_table",
            nw.lit("seen").alias("window_kind"),
            nw.col("seen_day_start").alias("window_start_ts"),
            nw.lit(0, nw.Int64).alias("event_count"),
            nw.lit(0, nw.Int64).alias("bad_count"),
            "newest_source_ts",
            nw.lit(0, nw.Int64).alias("usable_count"),
            nw.lit(0, nw.Int64).alias("distinct_count"),
        )
    )
    parts = [_figures(in_range, "day"), _figures(in_range, "tile"), seen]
    return nw.concat(parts, how="vertical").to_native()


def _figures(rows: nw.LazyFrame[Any], kind: str) -> nw.LazyFrame[Any]:
    """Figures per source and window of one kind (``day`` or ``tile``)."""
    start = f"{kind}_start"
    counts = rows.group_by("source_table", start).agg(
        nw.len().cast(nw.Int64).alias("event_count"),
        nw.col("is_bad").sum().cast(nw.Int64).alias("bad_count"),
        nw.col("source_time").max().alias("newest_source_ts"),
    )
    keys = (
        rows.filter(~nw.col("key_1").is_null(), ~nw.col("version_ts").is_null())
        .group_by("source_table", start, "key_1", "key_2", "version_ts")
        .agg(nw.len().cast(nw.Int64).alias("copies"))
        .group_by("source_table", start)
        .agg(
            nw.col("copies").sum().cast(nw.Int64).alias("usable_count"),
            nw.len().cast(nw.Int64).alias("distinct_count"),
        )
    )
    return counts.join(keys, on=["source_table", start], how="left").select(
        "source_table",
        nw.lit(kind).alias("window_kind"),
        nw.col(start).alias("window_start_ts"),
        "event_count",
        "bad_count",
        "newest_source_ts",
        nw.col("usable_count").fill_null(0),
        nw.col("distinct_count").fill_null(0),
    )
