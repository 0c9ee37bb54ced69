"""Loading folders into Bronze on Delta Lake: the rows of DuckDB, whole batches whatever happens in between."""

from __future__ import annotations

import gzip
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from python_jobs.contracts import Table, read_contracts
from python_jobs.load import LoadReport
from python_jobs.load.delta import DeltaBronze, NewBatch
from python_jobs.load.delta_folder import load_folder_into_delta
from python_jobs.retention_spark import retention_on_spark
from python_jobs.warehouse import LakeError
from tests.dbt_runs import PROJECT
from tests.loads import GOOD, NOW, Bronze, Killed, Line, dies, write

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

CLOCKS = {"ingested_at", "loaded_at", "status_changed_at"}
LEDGER = GOOD["transaction_ledger"]
TRICKY: dict[str, list[Line]] = {
    "transaction_ledger": [
        LEDGER,
        '{"tx_id":"e","wallet_id":"w","entry_type":"HOLD","amount":1.25e1,"event_time":"2026-02-01T09:00:00+09:00"}',
        '{"tx_id":"big","wallet_id":"w","type":"HOLD","amount":9999999999999999.99,"unheard":{"of":[1]}}',
        '{"tx_id":"\\uac00 \'quoted\\\\","wallet_id":"w","type":"HOLD","amount":"12.345","created_at":"yesterday"}',
        "",
        "no json",
        b'{"tx_id":"\xff"}',
        LEDGER | {"source_extracted_at": "2026-02-02T00:00:00.123456Z", "source_system": "core"},
    ],
    "products": [GOOD["products"], GOOD["products"] | {"is_display": "maybe", "stock_quantity": "5.0"}],
    "user_wallets": [GOOD["user_wallets"] | {"is_deleted": "true", "updated_at": None}],
}


@pytest.fixture
def raw(tmp_path: Path) -> Bronze:
    """The same on DuckDB, and a folder of files."""
    return Bronze(work=tmp_path)


def load(delta: DeltaBronze, folder: Path, **options: Any) -> LoadReport:
    return load_folder_into_delta(delta.session, project_dir=PROJECT, folder=folder, **({"now": NOW} | options))


def on_delta(delta: DeltaBronze, *, without: set[str] = CLOCKS) -> dict[str, list[str]]:
    """Rows of Bronze as text, in order; instants in UTC."""
    return {name: sorted(map(repr, rows_of(delta, table, without))) for name, table in delta.tables.items()}


def rows_of(delta: DeltaBronze, table: Table, without: set[str]) -> list[tuple[Any, ...]]:
    columns = [
        f"date_format({column.name}, 'yyyy-MM-dd HH:mm:ss.SSSSSS')" if column.data_type == "timestamp" else column.name
        for column in table.columns
        if column.name not in without
    ]
    return [tuple(row) for row in delta.session.sql(f"select {', '.join(columns)} from bronze.{table.name}").collect()]


def on_duckdb(raw: Bronze, *, without: set[str] = CLOCKS) -> dict[str, list[str]]:
    found = {}
    for name, table in read_contracts(PROJECT).items():
        columns = [
            f"strftime({column.name}, '%Y-%m-%d %H:%M:%S.%f')" if column.data_type == "timestamp" else column.name
            for column in table.columns
            if column.name not in without
        ]
        found[name] = sorted(map(repr, raw.sql(f"select {', '.join(columns)} from bronze.{name}")))
    return found


def types_of(delta: DeltaBronze, name: str) -> dict[str, str]:
    return {field.name: field.dataType.simpleString() for field in delta.session.table(f"bronze.{name}").schema.fields}


def test_a_folder_gives_the_rows_of_duckdb_and_a_second_load_changes_nothing(delta: DeltaBronze, raw: Bronze) -> None:
    for source, lines in TRICKY.items():
        raw.write(f"{source}/day.jsonl", *lines)
    packed = raw.write("orders.jsonl", GOOD["orders"])
    packed.with_name("orders.jsonl.gz").write_bytes(gzip.compress(packed.read_bytes()))
    raw.write("payment_orders.jsonl", {"nothing": "of the contract"})
    raw.write("order_items.jsonl", "<html>404</html>")
    for hidden in (
        "._orders.jsonl",
        "transaction_ledger/._day.jsonl",
        "products/_SUCCESS",
        "products/.part-0.jsonl.crc",
    ):
        raw.write(hidden, b"\x00\x05\x16\x07")
    raw.write("transaction_ledger/near.ndjson", LEDGER)
    extracted = datetime(2026, 2, 3, 0, 0, 0, 5, tzinfo=UTC)
    reports = [raw.load(extracted_at=extracted), load(delta, raw.folder, extracted_at=extracted)]
    first, second = (
        [(file.path, file.outcome, file.rows, file.malformed) for file in report.files] for report in reports
    )
    assert first == second
    assert reports[0].problems == reports[1].problems != []
    assert reports[0].warnings == reports[1].warnings
    assert reports[0].days == reports[1].days != set()
    instants = {"status_changed_at"}  # of the load all rows carry the same instant on both engines
    assert on_delta(delta, without=instants) == on_duckdb(raw, without=instants)
    for name, table in delta.tables.items():
        assert types_of(delta, name) == {column.name: column.data_type for column in table.columns}
    again = load(delta, raw.folder, extracted_at=extracted, now=NOW + timedelta(days=1))
    assert {file.outcome for file in again.files} == {"unchanged", "refused"}
    assert on_delta(delta, without=instants) == on_duckdb(raw, without=instants)


STEPS = [("begin", 1), ("append", 1), ("append", 2), ("finish", 1)]


def test_a_load_that_dies_between_any_two_steps_is_finished_by_the_next(
    delta: DeltaBronze, raw: Bronze, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after registering, appending malformed lines, appending rows, and marking the batch as loaded."""
    moments = [(step, call, before) for step, call in STEPS for before in (True, False)]
    for number, (step, call, before) in enumerate(moments):
        raw.write(f"orders/{number}.jsonl", GOOD["orders"] | {"order_id": number}, "no json")
        raw.load()
        with monkeypatch.context() as patch:
            patch.setattr(DeltaBronze, step, dies(getattr(DeltaBronze, step), call, before=before))
            with pytest.raises(Killed):
                load(delta, raw.folder)
        later = NOW + timedelta(hours=1)
        assert load(delta, raw.folder, now=later).problems == []
        assert on_delta(delta) == on_duckdb(raw), (step, call, before)


def test_an_abandoned_batch_is_finished_or_removed(delta: DeltaBronze, raw: Bronze) -> None:
    delta.create_tables()
    file = raw.write("orders/lost.jsonl", GOOD["orders"], "no json")
    raw.load()
    whole, half = (
        NewBatch(
            batch_id=batch_id,
            table_name="orders_raw",
            source_file="orders/lost.jsonl",
            loaded_at=NOW,
            row_count=1,
            malformed_count=malformed,
        )
        for batch_id, malformed in (("aaaa", 0), (raw.sql("select batch_id from bronze.load_registry")[0][0], 1))
    )
    registered = delta.begin([whole, half])
    for batch in registered.values():
        delta.append(batch, "orders_raw", row_without_seq(delta, "orders_raw", batch.batch_id))
    assert [batch.batch_id for batch in delta.recover()] == ["aaaa", half.batch_id]  # they may be at work
    assert delta.recover(abandoned_after=timedelta()) == []
    assert [batch.status for batch in delta.batches()] == ["loaded", "abandoned"]
    delta.append(registered[half.batch_id], "malformed_lines", row_without_seq(delta, "malformed_lines", half.batch_id))
    assert (len(on_delta(delta)["orders_raw"]), on_delta(delta)["malformed_lines"]) == (1, [])
    assert delta.finish([registered[half.batch_id]]) == [registered[half.batch_id]]
    assert load(delta, file.parent.parent).count("loaded") == 1
    assert [(batch.batch_seq, batch.status) for batch in delta.batches()] == [(1, "loaded"), (3, "loaded")]
    assert (len(on_delta(delta)["orders_raw"]), len(on_delta(delta)["malformed_lines"])) == (2, 1)


def test_who_settles_a_batch_takes_no_row_of_the_writer_that_began_it_again_meanwhile(
    delta: DeltaBronze, monkeypatch: pytest.MonkeyPatch
) -> None:
    delta.create_tables()
    lost = NewBatch(
        batch_id="aaaa", table_name="orders_raw", source_file="a", loaded_at=NOW, row_count=1, malformed_count=0
    )
    first = delta.begin([lost])["aaaa"]

    def finish_late(late: DeltaBronze, batches: Any) -> Any:
        """The writer settles the batch itself, begins it again and ends it, before we take anything away."""
        incomplete = finish(late, batches)
        monkeypatch.setattr(DeltaBronze, "finish", finish)
        delta.settle(first)
        again = delta.begin([lost])["aaaa"]
        delta.append(again, "orders_raw", row_without_seq(delta, "orders_raw", "aaaa"))
        assert delta.finish([again]) == []
        return incomplete

    finish = DeltaBronze.finish
    monkeypatch.setattr(DeltaBronze, "finish", finish_late)
    delta.settle(first)
    assert [(batch.batch_seq, batch.status) for batch in delta.batches()] == [(2, "loaded")]
    assert delta.session.table("bronze.orders_raw").count() == 1


def row_without_seq(delta: DeltaBronze, name: str, batch_id: str) -> DataFrame:
    """A frame of one row of a table."""
    values = {"batch_id": f"'{batch_id}'", "line_number": "cast(1 as bigint)"}
    columns = [
        f"{values.get(column.name, f'cast(null as {column.data_type})')} as {column.name}"
        for column in delta.tables[name].columns
        if column.name != "ingest_seq"
    ]
    return delta.session.sql(f"select {', '.join(columns)}")


def test_loads_at_once_share_no_number_and_lose_no_line(delta: DeltaBronze, tmp_path: Path) -> None:
    delta.create_tables()
    folders = [tmp_path / f"in_{number}" for number in range(3)]
    for number, folder in enumerate(folders):
        for part in range(2):
            write(folder / f"orders/{part}.jsonl", [GOOD["orders"] | {"order_id": number * 10 + part}])
        write(folder / "products.jsonl", [GOOD["products"]])  # the same file in every folder
    with ThreadPoolExecutor(len(folders)) as threads:
        reports = list(threads.map(lambda folder: load(delta, folder), folders))
    assert [report.problems for report in reports] == [[], [], []]
    batches = delta.batches()
    assert [batch.batch_seq for batch in batches] == list(range(1, 8))
    assert {batch.status for batch in batches} == {"loaded"}
    ids = [row[0] for row in delta.session.sql("select order_id from bronze.orders_raw order by 1").collect()]
    assert ids == [0, 1, 10, 11, 20, 21]
    assert delta.session.table("bronze.products_raw").count() == 1
    properties = dict(tuple(row) for row in delta.session.sql("show tblproperties bronze.load_registry").collect())
    assert properties["delta.enableDeletionVectors"] == "false"  # on Databricks writers would not meet otherwise


def test_batches_are_withdrawn_and_come_back_as_on_duckdb(delta: DeltaBronze, raw: Bronze) -> None:
    for number in range(3):
        raw.write(f"orders/{number}.jsonl", GOOD["orders"] | {"order_id": number})
    load(delta, raw.folder)
    first, second, third = (batch.batch_id for batch in delta.batches())
    changed = delta.set_status([second, first[:8]], "withdrawn", reason="it's wrong", now=NOW)
    assert [batch.batch_id for batch in changed] == [second, first]
    assert [(batch.status, batch.reason, batch.status_seq) for batch in delta.batches()] == [
        ("withdrawn", "it's wrong", 2),
        ("withdrawn", "it's wrong", 1),
        ("loaded", None, 0),
    ]
    for ids, why in (
        (["zz", third], "no batch"),
        ([third, third], "is named twice"),
        ([first], "is withdrawn already"),
        ([""], "no batch"),
    ):
        with pytest.raises(LakeError, match=why):
            delta.set_status(ids, "withdrawn", reason="x", now=NOW)
    delta.set_status([first], "loaded", reason="right after all", now=NOW)
    assert load(delta, raw.folder).count("reinstated") == 1
    assert [(batch.status, batch.reason, batch.status_seq) for batch in delta.batches()] == [
        ("loaded", "right after all", 3),
        ("loaded", "loaded again", 4),
        ("loaded", None, 0),
    ]


def test_retention_removes_the_rows_that_it_removes_on_duckdb(spark_session: SparkSession) -> None:
    now, today = datetime(2026, 6, 1, 15, 30, tzinfo=UTC), date(2026, 6, 2)
    spark_session.sql("drop schema if exists silver cascade")
    spark_session.sql("create schema silver")
    spark_session.sql("create table silver.bad_records (record_id string, detected_date_kst date) using delta")
    spark_session.sql("create table silver.bad_records_purged (record_id string, purged_at timestamp) using delta")
    spark_session.sql(
        "create table silver.dq_status (status_id string, source_table string, window_kind string,"
        " window_start_ts timestamp, date_kst date, dq_tag string, evaluation bigint) using delta"
    )
    bad = ", ".join(f"('{age}', date '{today - timedelta(days=age)}')" for age in (179, 180, 181, 300))
    spark_session.sql(f"insert into silver.bad_records values {bad}")
    kept, old = today - timedelta(days=400), today - timedelta(days=401)
    status = [("kept", kept, "null", 1), ("old", old, "null", 1), ("tagged before", old, "'STALE'", 0)]
    status += [("tag", old - timedelta(days=1), "'STALE'", 2)]
    for name, day, tag, number in status:
        spark_session.sql(
            "insert into silver.dq_status"
            f" values ('{name}', 's', 'day', timestamp '{day}', date '{day}', {tag}, {number})"
        )
    try:
        counted = retention_on_spark(spark_session, now=now, apply=False)
        assert (counted.bad_records, counted.dq_status) == (2, 2)
        assert retention_on_spark(spark_session, now=now, apply=True) == counted
        assert retention_on_spark(spark_session, now=now, apply=True).bad_records == 0
        purged = [
            row[0] for row in spark_session.sql("select record_id from silver.bad_records_purged order by 1").collect()
        ]
        assert purged == ["181", "300"]
        left = {row[0] for row in spark_session.sql("select status_id from silver.dq_status").collect()}
        assert left == {"kept", "tag"}
        assert spark_session.table("silver.bad_records").count() == 2
    finally:
        spark_session.sql("drop schema silver cascade")
    with pytest.raises(LakeError, match="never run"):
        retention_on_spark(spark_session, now=now, apply=True)


def test_money_keeps_every_digit_on_delta(delta: DeltaBronze, raw: Bronze) -> None:
    raw.write("transaction_ledger.jsonl", *TRICKY["transaction_ledger"])
    load(delta, raw.folder)
    amounts = [row[0] for row in delta.session.sql("select amount from bronze.transaction_ledger_raw").collect()]
    assert sorted(amounts, key=str) == [
        Decimal("10.00"),
        Decimal("10.00"),
        Decimal("12.50"),
        Decimal("9999999999999999.99"),
        None,
    ]


def test_a_database_never_lies_in_the_staging_which_may_be_a_mount_that_takes_whole_files_only(
    delta: DeltaBronze, raw: Bronze, tmp_path: Path
) -> None:
    staging = tmp_path / "staging"
    seen: set[str] = set()

    def look(_done: int, _total: int, _piece: str) -> None:
        seen.update("folder" if file.is_dir() else file.suffix for file in staging.rglob("*"))

    raw.write("orders.jsonl", GOOD["orders"])
    report = load(delta, raw.folder, staging=staging, progress=look)
    assert [file.outcome for file in report.files] == ["loaded"]
    assert seen == {"folder"}
    assert list(staging.iterdir()) == []
