"""Faults 1 to 10 of the reference: the guardrail.

One source history is watched by five runs: in the afternoon, after an hour without the guardrail, days later with every
source dead, once more as after a crash, and as a backfill of the first day.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.integration.lines import entry, instant, item, kst, payment, product, snapshot, stored
from tests.lakes import Lake

DAY = date(2026, 3, 1)
RUNNING = date(2026, 3, 2)
DEAD = date(2026, 3, 3)
STILL_DEAD = date(2026, 3, 4)
LATER = date(2026, 3, 5)

LEDGER = "bronze.transaction_ledger_raw"
WALLETS = "bronze.user_wallets_raw"
ORDERS = "bronze.payment_orders_raw"

FIRST_LOAD = {
    "transaction_ledger": [
        *[entry(f"t{hour}", "u1", "CHARGE", 1, kst(DAY, f"{hour:02}:00:00")) for hour in range(24)],
        # without offset: 09:30 UTC, half past six in the evening of KST
        entry("naive", "u1", "CHARGE", 1, f"{DAY}T09:30:00"),
        entry("timeless", "u1", "CHARGE", 1, None, source_extracted_at=kst(DAY, "20:00:00")),
        entry("seen", "u1", "CHARGE", 1, kst(RUNNING, "17:57:00")),
    ],
    "user_wallets": [
        # hourly extracts of a wallet that does not move, the last one of the day ingested the day after
        *[snapshot("idle", 5, kst(DAY, f"{hour:02}:30:00")) for hour in range(24)],
        snapshot("twice", 7, kst(RUNNING, "09:00:00")),
        snapshot("twice", 7, kst(RUNNING, "09:00:00")),
    ],
    "payment_orders": [
        payment("po_1", "PENDING", 10, kst(DAY, "10:00:00")),
        payment("po_1", "PAID", 10, kst(DAY, "10:00:00")),
        payment("po_2", "PAID", 10, kst(RUNNING, "10:00:00")),
        payment("po_2", "PAID", 10, kst(RUNNING, "10:00:00")),
    ],
    "orders": [{"order_id": 1, "total_amount": 10, "status": "PAID", "created_at": kst(DAY, "10:00:00")}],
    "order_items": [item(1, 1, 1, 1, 10)],
    "products": [product(1, "BEANS")],
}
SECOND_LOAD = {
    "transaction_ledger": [
        entry("late_in_the_day", "u1", "CHARGE", 1, kst(DAY, "11:00:00")),
        entry("late_in_the_tile", "u1", "CHARGE", 1, kst(RUNNING, "17:52:00")),
        entry("before_the_silence", "u1", "CHARGE", 1, kst(RUNNING, "18:15:00")),
    ]
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """What stood after a run: rows of dq_status, state of the pipeline, open exceptions."""

    run_id: str
    status: list[tuple[Any, ...]]
    state: tuple[Any, ...]
    exceptions: list[tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class Watched:
    """The warehouse after all runs, and what stood after each."""

    lake: Lake
    runs: dict[str, Run]

    def windows(self, kind: str, source: str, day: date, *columns: str) -> list[tuple[Any, ...]]:
        """Newest evaluation of each window of a day, in order of time."""
        return self.lake.sql(
            f"select {', '.join(columns)} from silver.dq_status"
            " where window_kind = ? and source_table = ? and date_kst = ?"
            " qualify row_number() over (partition by window_start_ts order by evaluation desc) = 1"
            " order by window_start_ts",
            [kind, source, day],
        )


@pytest.fixture(scope="module")
def watched(new_lake: Callable[..., Lake]) -> Watched:
    lake, runs = new_lake(checks=False), {}

    def run(name: str, now: datetime, *days: date) -> None:
        lake.now = now
        lake.run_clean(*days, pipelines=["guardrail"], run_id=name, watch=not days)
        runs[name] = Run(
            run_id=name,
            status=lake.sql("select * from silver.dq_status order by all"),
            state=lake.sql(
                "select status, last_processed_end, dq_zero_window_counts from gold.pipeline_state"
                " where pipeline_name = 'pipeline_a'"
            )[0],
            exceptions=lake.sql(
                "select date_kst, exception_type, severity, source_table, window_start_ts, metric, metric_value"
                " from gold.exception_ledger where resolved_at is null order by all"
            ),
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "America/Los_Angeles")
        time.tzset()
        lake.now = instant(RUNNING, "18:00:00")
        lake.load(FIRST_LOAD)
        run("afternoon", instant(RUNNING, "18:00:00"))
        lake.now = instant(RUNNING, "19:00:00")
        lake.load(SECOND_LOAD)
        run("after_an_outage", instant(RUNNING, "19:07:00"))
        state_before = lake.sql("select * from gold.pipeline_state where pipeline_name = 'pipeline_a'")[0]
        run("dead", instant(LATER, "00:30:00"))
        crash_after_dq_status(lake, "dead", state_before)
        run("retried", instant(LATER, "00:30:00"))
        run("backfill", instant(LATER, "00:30:00"), DAY)
    time.tzset()
    return Watched(lake=lake, runs=runs)


def crash_after_dq_status(lake: Lake, run_id: str, state_before: tuple[Any, ...]) -> None:
    """Take back what a run committed after silver.dq_status: exceptions, computed days and its success."""
    lake.sql("delete from gold.exception_ledger where run_id = ?", [run_id])
    lake.sql("delete from gold.pipeline_day where run_id = ?", [run_id])
    lake.sql("delete from gold.pipeline_state where pipeline_name = 'pipeline_a'")
    marks = ", ".join("?" for _ in state_before)
    lake.sql(f"insert into gold.pipeline_state values ({marks})", state_before)
    lake.sql("update gold.pipeline_state set status = 'failure' where pipeline_name = 'pipeline_a'")


def test_fault_01_a_dead_source_is_stale_and_a_backfill_of_old_data_is_not(watched: Watched) -> None:
    """From 18:15 to the end of the next day are 29.75 h; the first day is as fresh as it was, whenever it is asked."""
    columns = ("freshness_sec", "dq_tag", "severity")
    assert watched.windows("day", LEDGER, DEAD, *columns) == [(107_100, "SOURCE_STALE", "CRITICAL")]
    assert watched.windows("tile", LEDGER, DEAD, *columns)[-1] == (107_100, "SOURCE_STALE", "CRITICAL")
    assert watched.windows("day", LEDGER, DAY, "freshness_sec") == [(3_600,)]
    stale_days = {day for day, kind, *_ in watched.runs["backfill"].exceptions if kind == "SOURCE_STALE"}
    assert DAY not in stale_days


def test_fault_02_a_backfill_moves_neither_the_watermark_nor_the_counters(watched: Watched) -> None:
    before, after = watched.runs["retried"], watched.runs["backfill"]
    assert before.state == after.state
    assert after.state[:2] == ("success", stored(LATER, "00:30:00"))
    assert json.loads(after.state[2])[LEDGER] == 325  # 54.25 h since 18:15, in tiles of 10 min


def test_fault_03_a_window_belongs_to_the_day_it_starts_in(watched: Watched) -> None:
    """The day row ends at 24:00 and so does the last tile; both are of the day, not of the next."""
    assert watched.windows("day", LEDGER, DEAD, "window_start_ts", "window_end_ts") == [
        (stored(DEAD, "00:00:00"), stored(STILL_DEAD, "00:00:00"))
    ]
    assert watched.windows("tile", LEDGER, DEAD, "window_end_ts")[-1] == (stored(STILL_DEAD, "00:00:00"),)


def test_fault_04_late_and_timeless_rows_are_inspected(watched: Watched) -> None:
    """24 + 1 + the one without a time, which breaks the contract: 1/26; later the late one: 1/27."""
    evaluations = watched.lake.sql(
        "select event_count, bad_records_rate, dq_tag, run_id from silver.dq_status"
        " where window_kind = 'day' and source_table = ? and date_kst = ? order by evaluation",
        [LEDGER, DAY],
    )
    assert evaluations == [
        (26, Decimal("0.038462"), "CONTRACT_VIOLATION", "afternoon"),
        (27, Decimal("0.037037"), "CONTRACT_VIOLATION", "after_an_outage"),
    ]
    tiles = watched.lake.sql(
        "select event_count from silver.dq_status where window_start_ts = ? and source_table = ? order by evaluation",
        [stored(RUNNING, "17:50:00"), LEDGER],
    )
    assert tiles == [(1,), (2,)]


def test_fault_05_empty_windows_are_elapsed_time_and_a_quiet_tile_tags_no_day(watched: Watched) -> None:
    """After the outage each tile is judged for itself: last event 18:15, so 18:20 is 1.5 tiles before 18:30."""
    assert watched.windows("tile", LEDGER, RUNNING, "window_start_ts", "zero_windows")[:7] == [
        (stored(RUNNING, "17:50:00"), 0),
        (stored(RUNNING, "18:00:00"), 1),
        (stored(RUNNING, "18:10:00"), 0),
        (stored(RUNNING, "18:20:00"), 1),
        (stored(RUNNING, "18:30:00"), 2),
        (stored(RUNNING, "18:40:00"), 3),
        (stored(RUNNING, "18:50:00"), 4),
    ]
    tags = watched.windows("tile", LEDGER, RUNNING, "dq_tag")
    assert tags[3] == ("SOURCE_STALE",)
    assert watched.windows("day", LEDGER, RUNNING, "zero_windows", "dq_tag") == [(0, None)]


def test_fault_06_wallets_count_by_when_their_balances_were_true(watched: Watched) -> None:
    """All 24 extracts were ingested on one day and count on the day they were taken."""
    assert watched.windows("day", WALLETS, DAY, "event_count") == [(24,)]
    assert watched.windows("day", WALLETS, RUNNING, "event_count") == [(2,)]


def test_fault_07_duplicates_of_users_and_orders_are_distinguished_from_versions(watched: Watched) -> None:
    """The same line twice is suspicious in every source; hourly extracts and PENDING to PAID are not."""
    for source in (WALLETS, ORDERS):
        assert watched.windows("day", source, DAY, "dup_rate", "dq_tag") == [(0, None)]
        assert watched.windows("day", source, RUNNING, "dup_rate", "dq_tag", "severity") == [
            (Decimal("0.5"), "DUP_SUSPECTED", "CRITICAL")
        ]
    rules = {metric for _, kind, _, _, _, metric, _ in watched.runs["dead"].exceptions if kind == "DUP_SUSPECTED"}
    assert rules == {"dup_rate_user_id", "dup_rate_order_id"}


def test_fault_08_three_sources_are_guarded_as_documented(watched: Watched) -> None:
    """Orders, order items and products are judged by Silver alone."""
    assert watched.lake.sql("select distinct source_table from silver.dq_status order by all") == [
        (ORDERS,),
        (LEDGER,),
        (WALLETS,),
    ]


def test_fault_09_retries_and_reruns_write_nothing_twice(watched: Watched) -> None:
    """A run that died after dq_status is retried: no row again, and the exceptions it owed."""
    dead, retried, backfill = (watched.runs[name] for name in ("dead", "retried", "backfill"))
    assert dead.status == retried.status == backfill.status
    assert dead.exceptions == retried.exceptions == backfill.exceptions
    assert any(day == DEAD for day, *_ in retried.exceptions)


def test_fault_10_all_windows_are_computed_at_once_whatever_the_zone_of_the_process(watched: Watched) -> None:
    """53.5 h are 321 tiles and 3 days of 3 sources in one statement; the process stood in Los Angeles."""
    written = watched.lake.sql(
        "select window_kind, count(*) from silver.dq_status where run_id = 'dead' group by all order by all"
    )
    assert written == [("day", 9), ("tile", 963)]
    naive = watched.lake.sql("select created_at from bronze.transaction_ledger_raw where tx_id = 'naive'")
    assert naive == [(datetime(2026, 3, 1, 9, 30),)]
    assert watched.windows("day", LEDGER, DAY, "window_start_ts") == [(datetime(2026, 2, 28, 15, 0),)]
