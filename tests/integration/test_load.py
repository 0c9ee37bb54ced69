"""Loading folders of JSON lines into Bronze."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import permutations
from pathlib import Path

import pyarrow as pa
import pytest

from python_jobs.contracts import read_contracts
from python_jobs.load import bronze
from python_jobs.load.lines import Lines
from python_jobs.warehouse import LakeError, open_duckdb
from tests.dbt_runs import PROJECT
from tests.loads import GOOD, NOW, Bronze, Line, content

COUNTS = " union all ".join(f"select '{source}', count(*) from bronze.{source}_raw" for source in GOOD)


@pytest.fixture
def raw(tmp_path: Path) -> Bronze:
    """An empty warehouse and an empty folder."""
    return Bronze(work=tmp_path)


@pytest.mark.parametrize("layout", ["{table}/part-1.jsonl", "{source}/part-1.jsonl", "{source}.jsonl"])
@pytest.mark.parametrize("packed", [False, True])
def test_each_layout_loads_each_table(raw: Bronze, layout: str, packed: bool) -> None:
    for source, line in GOOD.items():
        path = raw.write(layout.format(table=f"{source}_raw", source=source), line)
        if packed:
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    report = raw.load()
    assert {file.outcome for file in report.files} == {"loaded"}
    assert report.warnings == report.problems == []
    assert raw.sql(COUNTS) == [(source, 1) for source in GOOD]


def test_a_row_holds_its_values_in_their_types(raw: Bronze) -> None:
    for source, line in GOOD.items():
        raw.write(f"{source}.jsonl", line)
    raw.load()
    instant = datetime(2026, 2, 1)
    assert raw.sql(
        "select tx_id, wallet_id, type, amount, currency, related_id, created_at, entry_created_at, updated_at,"
        " source_extracted_at, source_system, unreadable_columns, implausible_columns, line_number, ingest_seq"
        " from bronze.transaction_ledger_raw"
    ) == [
        ("tx_1", "user_1", "PAYMENT", Decimal("10.00"), None, "po_1", instant, instant, *[None] * 5, 1, 2 * 2**32 + 1)
    ]
    assert raw.sql("select product_id, price_krw, stock_quantity, is_display from bronze.products_raw") == [
        (7, Decimal("10.00"), 5, True)
    ]


def test_the_load_stamps_where_a_line_came_from(raw: Bronze) -> None:
    own = GOOD["orders"] | {"source_extracted_at": "2026-02-02T09:00:00+09:00", "source_system": "shop"}
    raw.write("orders.jsonl", own, "", GOOD["orders"])
    outcome = raw.only(extracted_at=datetime(2026, 2, 3, 9, tzinfo=timezone(timedelta(hours=9))))
    assert raw.sql(
        "select ingested_at, source_extracted_at, batch_id, source_system, line_number, ingest_seq"
        " from bronze.orders_raw order by all"
    ) == [
        (NOW.replace(tzinfo=None), datetime(2026, 2, 2), outcome.batch_id, "shop", 1, 2**32 + 1),
        (NOW.replace(tzinfo=None), datetime(2026, 2, 3), outcome.batch_id, None, 3, 2**32 + 3),
    ]


def test_the_original_line_is_kept_to_the_byte_with_its_unknown_keys(raw: Bronze) -> None:
    lines = [
        '{ "tx_id":"tx_1" ,"wallet_id":"w","type":"HOLD","amount":1e1,"unheard_of":{"deep":[1, 2.50]} }',
        '{"tx_id":"\\uac00\\/가","wallet_id":"w","type":"HOLD","amount":"12.345","amount":1}',
        '{"tx_id":"a\\u0000b","wallet_id":"w","type":"HOLD","amount":true}\t',
    ]
    raw.write("transaction_ledger.jsonl", *lines)
    raw.load()
    assert raw.sql("select raw_json, tx_id, amount from bronze.transaction_ledger_raw order by line_number") == [
        (lines[0], "tx_1", Decimal("10.00")),
        (lines[1], "가/가", None),
        (lines[2], "a\0b", None),
    ]


@pytest.mark.parametrize(
    ("source", "column", "given", "value"),
    [
        ("transaction_ledger", "type", {"entry_type": "MINT", "type": "BURN"}, "MINT"),
        ("transaction_ledger", "type", {"entry_type": None, "type": "BURN"}, "BURN"),
        ("transaction_ledger", "created_at", {"event_time": "2026-02-05"}, datetime(2026, 2, 5)),
        ("transaction_ledger", "created_at", {"source_created_at": "2026-02-06"}, datetime(2026, 2, 6)),
        ("transaction_ledger", "created_at", {"created_at": "2026-02-07", "event_time": "x"}, None),
        ("payment_orders", "created_at", {"created_at": None, "event_time": "2026-02-08"}, datetime(2026, 2, 8)),
        ("orders", "created_at", {"event_time": "2026-02-09"}, datetime(2026, 2, 9)),
    ],
)
def test_the_first_spelling_with_a_value_wins(
    raw: Bronze, source: str, column: str, given: dict[str, object], value: object
) -> None:
    line = {key: value for key, value in GOOD[source].items() if key != column} | given
    raw.write(f"{source}.jsonl", line)
    raw.load()
    assert raw.sql(f"select {column} from bronze.{source}_raw") == [(value,)]


def test_a_file_that_was_loaded_before_changes_nothing(raw: Bronze) -> None:
    path = raw.write("orders/today.jsonl", GOOD["orders"], "no json", GOOD["orders"] | {"order_id": 2})
    assert raw.outcomes() == {"orders/today.jsonl": "loaded"}
    before = raw.everything()
    (raw.folder / "orders/renamed.jsonl").write_bytes(path.read_bytes())
    (raw.folder / "orders.jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
    for now in (NOW, NOW + timedelta(days=1)):
        assert set(raw.outcomes(now=now).values()) == {"unchanged"}
    assert raw.everything() == before


def test_copies_of_a_file_in_one_folder_are_loaded_once(raw: Bronze) -> None:
    path = raw.write("orders/a.jsonl", GOOD["orders"])
    shutil.copy(path, path.with_name("b.jsonl"))
    path.with_name("c.jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert raw.outcomes() == {
        "orders/a.jsonl": "loaded",
        "orders/b.jsonl": "unchanged",
        "orders/c.jsonl.gz": "unchanged",
    }
    assert raw.sql("select count(*) from bronze.orders_raw") == [(1,)]
    assert raw.sql("select count(*) from bronze.load_registry") == [(1,)]


def test_the_same_content_is_another_batch_in_another_table_and_at_another_extraction(raw: Bronze) -> None:
    both = GOOD["orders"] | GOOD["order_items"]
    raw.write("orders.jsonl", both)
    raw.write("order_items.jsonl", both)
    first, second = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC)
    for instant in (None, first, second):
        assert set(raw.outcomes(extracted_at=instant).values()) == {"loaded"}
        assert set(raw.outcomes(extracted_at=instant).values()) == {"unchanged"}
    kst = second.astimezone(timezone(timedelta(hours=9)))
    assert set(raw.outcomes(extracted_at=kst).values()) == {"unchanged"}
    assert raw.sql("select distinct content_sha256 from bronze.load_registry") != []
    assert len(raw.sql("select distinct batch_id from bronze.load_registry")) == 6
    assert raw.sql("select distinct source_extracted_at from bronze.orders_raw order by all") == [
        (datetime(2026, 2, 1),),
        (datetime(2026, 2, 2),),
        (None,),
    ]


def test_lines_that_are_no_json_object_are_kept_apart_with_their_numbers(raw: Bronze) -> None:
    lines: list[Line] = [
        GOOD["orders"],
        "{broken",
        "",
        b'{"order_id": "\xff"}',
        "[1]",
        GOOD["orders"],
        '{"order_id": 01}',
        '{"order_id":\f1}',
    ]
    path = raw.write("orders/2026-02-01.jsonl", *lines)
    report = raw.load(extracted_at=datetime(2026, 2, 1, tzinfo=UTC))
    (file,) = report.files
    assert (file.outcome, file.rows, file.malformed) == ("loaded", 2, 5)
    (warning,) = report.warnings
    assert warning.startswith(f"{path}: 5 of 7 lines are not JSON objects; they are kept with their line numbers in")
    assert warning.endswith(f"bronze.malformed_lines, batch {file.batch_id}")
    rows = raw.sql(
        "select line_number, raw_line, split_part(error, ':', 1), ingest_seq - batch_seq * 4294967296, source_file,"
        " malformed.source_extracted_at from bronze.malformed_lines as malformed"
        " join bronze.load_registry using (batch_id, table_name) order by 1"
    )
    at = datetime(2026, 2, 1)
    assert rows == [
        (2, "{broken", "not JSON", 2, "orders/2026-02-01.jsonl", at),
        (4, '{"order_id": "\\xff"}', "not UTF-8 at byte 15", 4, "orders/2026-02-01.jsonl", at),
        (5, "[1]", "not a JSON object", 5, "orders/2026-02-01.jsonl", at),
        (7, '{"order_id": 01}', "not JSON", 7, "orders/2026-02-01.jsonl", at),
        (8, '{"order_id":\f1}', "not JSON", 8, "orders/2026-02-01.jsonl", at),
    ]


@pytest.mark.parametrize("bytes_", [b"", b"\xef\xbb\xbf", b"\n\r\n  \n", gzip.compress(b"", mtime=0)])
def test_a_file_without_a_line_loads_nothing_and_is_reported(raw: Bronze, bytes_: bytes) -> None:
    path = raw.folder / "orders.jsonl"
    path.write_bytes(bytes_)
    report = raw.load()
    assert [file.outcome for file in report.files] == ["empty"]
    assert report.warnings == [f"{path} holds no line: nothing to load"]
    assert report.problems == []
    assert raw.sql("select count(*) from bronze.load_registry") == [(0,)]


@pytest.mark.parametrize(("lines_of", "folder"), list(permutations(GOOD, 2)))
def test_a_file_in_the_folder_of_another_table_is_refused(raw: Bronze, lines_of: str, folder: str) -> None:
    path = raw.write(f"{folder}/a.jsonl", GOOD[lines_of])
    report = raw.load()
    (problem,) = report.problems
    assert problem.startswith(f"{path} does not fit bronze.{folder}_raw: ")
    assert f"it looks like {lines_of}_raw" in problem
    assert raw.sql(f"select count(*) from bronze.{folder}_raw") == [(0,)]
    assert raw.sql("select count(*) from bronze.load_registry") == [(0,)]


def test_a_required_key_may_be_null_or_come_late_but_not_be_missing_everywhere(raw: Bronze) -> None:
    bare = {key: value for key, value in GOOD["user_wallets"].items() if key != "frozen_amount"}
    raw.write("user_wallets/none.jsonl", *[bare] * 3)
    raw.write("user_wallets/null.jsonl", bare, bare | {"frozen_amount": None})
    raw.write("user_wallets/unreadable.jsonl", bare | {"frozen_amount": "much"})
    raw.write("user_wallets/late.jsonl", *[bare] * 20_000, bare | {"frozen_amount": None})
    report = raw.load()
    assert {file.path.name: file.outcome for file in report.files} == {
        "late.jsonl": "loaded",
        "none.jsonl": "refused",
        "null.jsonl": "loaded",
        "unreadable.jsonl": "loaded",
    }
    assert "no line has frozen_amount. Nothing of it was loaded" in report.problems[0]


def test_new_keys_are_no_reason_to_refuse_a_file(raw: Bronze) -> None:
    """An order with the keys of a payment order as well is still an order: total_amount is known to orders only."""
    raw.write("orders.jsonl", GOOD["orders"] | {"amount": 1, "merchant_name": "Shop A", "coupon": "X"})
    assert raw.outcomes() == {"orders.jsonl": "loaded"}


def test_a_refused_file_does_not_stop_the_others(raw: Bronze) -> None:
    raw.write("orders/a.jsonl", *[GOOD["orders"]] * 3)
    raw.write("orders/b.jsonl", GOOD["products"])
    (raw.folder / "orders/c.jsonl").write_bytes(gzip.compress(content([GOOD["orders"]] * 500))[:-9])
    (raw.folder / "orders/d.jsonl").symlink_to(raw.folder / "gone")
    raw.write("orders/e.jsonl", GOOD["orders"])
    assert raw.outcomes() == {
        "orders/a.jsonl": "loaded",
        "orders/b.jsonl": "refused",
        "orders/c.jsonl": "refused",
        "orders/d.jsonl": "refused",
        "orders/e.jsonl": "loaded",
    }
    assert raw.sql("select source_file, batch_seq, row_count from bronze.load_registry order by 1") == [
        ("orders/a.jsonl", 1, 3),
        ("orders/e.jsonl", 2, 1),
    ]
    assert raw.sql("select count(*) from bronze.orders_raw") == [(4,)]


def test_a_file_that_grows_while_the_folder_is_loaded_is_refused(raw: Bronze) -> None:
    path = raw.write("orders.jsonl", GOOD["orders"])
    raw.write("products.jsonl", GOOD["products"])

    def write_on(_done: int, _total: int, piece: str) -> None:
        if piece == "reading products.jsonl":
            path.write_bytes(content([GOOD["orders"]] * 2))

    assert raw.outcomes(progress=write_on) == {"orders.jsonl": "refused", "products.jsonl": "loaded"}
    assert raw.outcomes() == {"orders.jsonl": "loaded", "products.jsonl": "unchanged"}
    assert raw.sql("select count(*) from bronze.orders_raw") == [(2,)]


def test_nothing_of_a_file_with_an_endless_line_is_kept(raw: Bronze) -> None:
    path = raw.write("orders.jsonl", *[GOOD["orders"]] * 10, b"x" * (17 << 20))
    (problem,) = raw.load().problems
    assert problem.startswith(f"{path}:11: the line is longer than 16 MiB; is this a file of JSON lines?")
    assert raw.sql("select count(*) from bronze.orders_raw") == [(0,)]


def test_unread_files_in_the_folder_of_a_table_are_reported(raw: Bronze) -> None:
    raw.write("orders/good.jsonl", GOOD["orders"])
    raw.write("orders/2026/february.jsonl", GOOD["orders"])
    ignored = [raw.write("orders/data.json", "{}"), raw.write("orders.csv", "a,b"), raw.folder / "orders/2026"]
    raw.write("truth.json", "{}")
    report = raw.load()
    assert [file.path.name for file in report.files] == ["good.jsonl"]
    assert sorted(text.split(" is not read: ")[0] for text in report.warnings) == sorted(str(path) for path in ignored)


def test_a_folder_of_an_unknown_table_stops_the_load_before_it_begins(raw: Bronze) -> None:
    raw.write("orders.jsonl", GOOD["orders"])
    path = raw.write("wallets/a.jsonl", GOOD["user_wallets"])
    with pytest.raises(LakeError, match=f"{path} belongs to no table: 'wallets' is none of order_items, orders, "):
        raw.load()
    assert not raw.warehouse.exists()


def test_progress_ends_at_the_last_byte(raw: Bronze) -> None:
    sizes = [raw.write(f"{source}.jsonl", *[line] * 100).stat().st_size for source, line in GOOD.items()]
    told: list[tuple[int, int, str]] = []
    raw.load(progress=lambda done, total, piece: told.append((done, total, piece)))
    assert told[-1] == (sum(sizes), sum(sizes), "products.jsonl")
    bytes_done = [done for done, total, _ in told if total == sum(sizes)]
    assert bytes_done == sorted(bytes_done)


def test_a_transaction_holds_no_block_of_lines_in_memory(tmp_path: Path) -> None:
    """DuckDB keeps registered tables until the transaction ends, readers it does not."""
    tables = read_contracts(PROJECT)
    stamps = bronze.Stamps(batch_id="b", batch_seq=1, extracted_at=None, loaded_at=datetime(2026, 3, 1))
    plain = GOOD["orders"] | {"note": "x" * 1_000}
    texts: list[str | None] = [json.dumps(plain), json.dumps(plain | {"nested": [1]})] * 500
    with open_duckdb(tmp_path / "plura.duckdb", create=True) as connection:
        bronze.create_tables(connection, tables)
        connection.begin()
        before = pa.total_allocated_bytes()
        for _ in range(5):
            some = Lines(first_number=1, texts=texts, bytes_read=0)
            bronze.insert_lines(connection, tables["orders_raw"], some, stamps)
        assert pa.total_allocated_bytes() - before < 100_000  # one block has a million bytes


def test_memory_does_not_grow_with_the_file(raw: Bronze) -> None:
    """150 MB through a warehouse limited to 128 MiB; Python and the engine alone take about 230 MB."""
    line = json.dumps(GOOD["transaction_ledger"] | {"tx_id": "tx_%d", "note": "%08d" * 250}).encode()
    size = raw.write("transaction_ledger.jsonl", *(line % ((n,) * 251) for n in range(70_000))).stat().st_size
    assert size > 140e6
    code = (
        "import sys\n"
        "from datetime import UTC, datetime\n"
        "from pathlib import Path\n"
        "from python_jobs import warehouse\n"
        "from python_jobs.load import load_folder\n"
        "warehouse.MEMORY_LIMIT = '128MiB'\n"
        "project, path, folder = map(Path, sys.argv[1:])\n"
        "report = load_folder(project_dir=project, warehouse=path, folder=folder, now=datetime.now(UTC))\n"
        "status = Path('/proc/self/status').read_text()\n"
        "print(report.files[0].rows, status.split('VmHWM:')[1].split()[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(PROJECT), str(raw.warehouse), str(raw.folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    rows, kilobytes = map(int, done.stdout.split())
    assert rows == 70_000
    assert kilobytes < 440_000
