"""Retention: what is removed, what stays, and that nothing of it ever comes back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest

from python_jobs.load import list_batches, set_batch_status
from python_jobs.retention import retention
from python_jobs.warehouse import LakeError, open_duckdb
from tests.lakes import Lake

NOW = datetime(2026, 6, 1, 15, 30, tzinfo=UTC)  # 2 June in Korea
TODAY = date(2026, 6, 2)
MUCH_LATER = datetime(2027, 6, 1, tzinfo=UTC)
D1, D2, D3 = date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables of retention with the columns it reads."""
    with duckdb.connect() as connection:
        connection.execute("create schema silver")
        connection.execute("create table silver.bad_records (record_id varchar, detected_date_kst date)")
        connection.execute("create table silver.bad_records_purged (record_id varchar, purged_at timestamp)")
        connection.execute(
            "create table silver.dq_status (status_id varchar, source_table varchar, window_kind varchar,"
            " window_start_ts timestamp, date_kst date, dq_tag varchar, evaluation bigint)"
        )
        yield connection


def add_bad_record(connection: duckdb.DuckDBPyConnection, record_id: str, days_old: int) -> None:
    connection.execute("insert into silver.bad_records values ($1, $2)", [record_id, TODAY - timedelta(days=days_old)])


def add_status(
    connection: duckdb.DuckDBPyConnection, status_id: str, days_old: int, tag: str | None, kind: str, evaluation: int
) -> None:
    day = TODAY - timedelta(days=days_old)
    connection.execute(
        "insert into silver.dq_status values ($1, 'bronze.transaction_ledger_raw', $2, $3, $3, $4, $5)",
        [status_id, kind, day, tag, evaluation],
    )


def ids(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> list[str]:
    return [value for (value,) in connection.execute(f"select {column} from silver.{table} order by 1").fetchall()]


def test_180_and_400_korean_days_are_kept(warehouse: duckdb.DuckDBPyConnection) -> None:
    for days_old in (179, 180, 181):
        add_bad_record(warehouse, str(days_old), days_old)
    for days_old in (399, 400, 401):
        add_status(warehouse, str(days_old), days_old, None, "day", 1)
    report = retention(warehouse, now=NOW, apply=True)
    assert (report.bad_records, report.bad_records_from) == (1, TODAY - timedelta(days=180))
    assert (report.dq_status, report.dq_status_from) == (1, TODAY - timedelta(days=400))
    assert ids(warehouse, "bad_records", "record_id") == ["179", "180"]
    assert ids(warehouse, "dq_status", "status_id") == ["399", "400"]
    assert warehouse.execute("select * from silver.bad_records_purged").fetchall() == [
        ("181", NOW.replace(tzinfo=None))
    ]


def test_without_apply_rows_are_only_counted(warehouse: duckdb.DuckDBPyConnection) -> None:
    add_bad_record(warehouse, "old", 1_000)
    add_status(warehouse, "old", 1_000, None, "tile", 1)
    for _ in range(2):
        report = retention(warehouse, now=NOW, apply=False)
        assert (report.bad_records, report.dq_status) == (1, 1)
    assert ids(warehouse, "bad_records", "record_id") == ids(warehouse, "dq_status", "status_id") == ["old"]
    assert ids(warehouse, "bad_records_purged", "record_id") == []
    assert retention(warehouse, now=NOW, apply=True).bad_records == 1
    assert retention(warehouse, now=NOW, apply=True).bad_records == 0


def test_the_current_tag_of_a_day_stays_for_ever(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Of the tagged day the newest row stays; the cleared day, and tagged tiles, go whole."""
    add_status(warehouse, "tagged, superseded", 500, "SOURCE_STALE", "day", 1)
    add_status(warehouse, "tagged, standing", 500, "DUP_SUSPECTED", "day", 2)
    add_status(warehouse, "cleared, before", 501, "SOURCE_STALE", "day", 1)
    add_status(warehouse, "cleared, standing", 501, None, "day", 2)
    add_status(warehouse, "tile", 502, "SOURCE_STALE", "tile", 1)
    assert retention(warehouse, now=NOW, apply=False).dq_status == 4
    assert retention(warehouse, now=NOW, apply=True).dq_status == 4
    assert ids(warehouse, "dq_status", "status_id") == ["tagged, standing"]


def test_a_removal_that_fails_halfway_changes_nothing(warehouse: duckdb.DuckDBPyConnection) -> None:
    add_bad_record(warehouse, "old", 1_000)
    warehouse.execute("create unique index once on silver.bad_records_purged (record_id)")
    warehouse.execute("insert into silver.bad_records_purged values ('old', now())")
    with pytest.raises(duckdb.ConstraintException):
        retention(warehouse, now=NOW, apply=True)
    warehouse.rollback()
    assert ids(warehouse, "bad_records", "record_id") == ["old"]


def test_a_warehouse_without_silver_is_reported() -> None:
    with duckdb.connect() as empty, pytest.raises(LakeError, match="the pipelines have never run on this warehouse"):
        retention(empty, now=NOW, apply=False)


def lines_of_three_days() -> dict[str, list[dict[str, object]]]:
    """Clean first and third day; on the second the ledger is silent while a balance moves. One bad line in 120."""
    entries: list[dict[str, object]] = [
        {
            "tx_id": f"tx_{day}_{n}",
            "wallet_id": "user_1",
            "type": "HOLD",
            "amount": 1,
            "created_at": f"{day}T{n % 24:02}:{n // 24:02}:00+09:00",
        }
        for day in (D1, D3)
        for n in range(60)
    ]
    entries[7]["amount"] = 0
    wallets: list[dict[str, object]] = [
        {
            "user_id": "user_1",
            "balance": 1_000 if day <= D2 else 900,
            "frozen_amount": 0,
            "source_extracted_at": f"{day}T00:00:00+09:00",
        }
        for day in (D1, D2, D3, date(2026, 3, 4))
    ]
    orders: list[dict[str, object]] = [
        {"order_id": f"po_{day}_{n}", "amount": 1, "status": "PAID", "created_at": f"{day}T{n:02}:30:00+09:00"}
        for day in (D1, D2, D3)
        for n in range(24)
    ]
    return {"transaction_ledger": entries, "user_wallets": wallets, "payment_orders": orders}


def verdicts(lake: Lake) -> list[tuple[object, ...]]:
    return lake.sql("select date_kst, verdict, drift_abs from gold.recon_daily_snapshot_flow order by 1")


def day_rows(lake: Lake) -> list[tuple[object, ...]]:
    return lake.sql(
        "select date_kst, source_table, dq_tag from silver.dq_status where window_kind = 'day' order by all"
    )


def test_removed_rows_never_return_and_suppressed_days_stay_suppressed(lake: Lake) -> None:
    """A replay of every line after the removal: the batch is withdrawn, reinstated and judged anew."""
    lake.now = datetime(2026, 3, 4, 1, tzinfo=UTC)
    lake.load(lines_of_three_days())
    lake.run_clean()
    before = verdicts(lake)
    assert [row for row in before if row[1] == "SUPPRESSED"] == [(D2, "SUPPRESSED", 100)]
    assert lake.sql("select reason from silver.bad_records") == [("non_positive_amount",)]
    assert len(day_rows(lake)) == 9
    with open_duckdb(lake.warehouse) as connection:
        report = retention(connection, now=MUCH_LATER, apply=True)
        assert report.bad_records == 1
        for batch in list_batches(connection):
            for status in ("withdrawn", "loaded"):
                set_batch_status(connection, batch.batch_id, status, reason="replay", now=lake.now)
    kept = day_rows(lake)
    assert 0 < len(kept) < 9
    assert {tag for _, _, tag in kept} == {"SOURCE_STALE", "CONTRACT_VIOLATION"}
    lake.now = datetime(2026, 3, 4, 2, tzinfo=UTC)
    lake.run_clean()
    assert lake.sql("select count(*) from silver.bad_records") == [(0,)]
    assert day_rows(lake) == kept
    lake.run_clean(D1, D3, pipelines=["controls"])
    assert verdicts(lake) == before
