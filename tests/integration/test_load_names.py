"""Which files of a folder are loaded: hidden ones never, those with a wrong name not without the right one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from python_jobs.warehouse import LakeError
from tests.commands import Plura
from tests.loads import GOOD, Bronze, content, write

LEDGER = GOOD["transaction_ledger"]
APPLE_DOUBLE = bytes.fromhex("00051607000200004d6163204f5320582020202020202020000200000009000000320000007e00000002")

HIDDEN = {
    "._transaction_ledger.jsonl": APPLE_DOUBLE,
    "._2026-02-02.jsonl": APPLE_DOUBLE,
    ".DS_Store": b"\x00\x00\x00\x01Bud1",
    ".transaction_ledger.jsonl.swp": b"b0VIM 9.0",
    ".transaction_ledger.jsonl.swo": b"b0VIM 9.0",
    ".~lock.transaction_ledger.jsonl#": b",me,here;",
    ".#transaction_ledger.jsonl": b"me@here",
    "#transaction_ledger.jsonl#": content([LEDGER]),
    "transaction_ledger.jsonl~": content([LEDGER]),
    "~$transaction_ledger.jsonl": b"me",
    ".ipynb_checkpoints/transaction_ledger.jsonl": content([LEDGER]),
    ".ipynb_checkpoints/transaction_ledger/a.jsonl": content([LEDGER]),
    "__MACOSX/._transaction_ledger.jsonl": APPLE_DOUBLE,
    "__MACOSX/transaction_ledger/._a.jsonl": APPLE_DOUBLE,
    ".git/a.jsonl": content([LEDGER]),
    "Thumbs.db": b"\xd0\xcf\x11\xe0",
    "THUMBS.DB": b"\xd0\xcf\x11\xe0",
    "desktop.ini": b"[.ShellClassInfo]",
    "Desktop.ini": b"[.ShellClassInfo]",
    "a.jsonl:Zone.Identifier": b"[ZoneTransfer]",
    "_SUCCESS": b"",
    "._SUCCESS.crc": b"crc\x00",
    "_committed_7214936215904718": b"{}",
    "_started_7214936215904718": b"",
    ".part-00000-1a2b.jsonl.crc": b"crc\x00",
    "_temporary/0/_temporary/attempt_1/part-0.jsonl": content([LEDGER]),
    "_delta_log/00000000000000000000.json": b"{}",
    "_spark_metadata/0": b"v1",
}


@pytest.fixture
def raw(tmp_path: Path) -> Bronze:
    """An empty warehouse and an empty folder."""
    return Bronze(work=tmp_path)


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize("place", ["", "transaction_ledger/"])
def test_what_systems_editors_and_engines_keep_beside_data_is_no_data(raw: Bronze, name: str, place: str) -> None:
    """In a flat folder and in that of a table: not loaded, not refused, no warning."""
    raw.write(f"{place or 'transaction_ledger/'}good.jsonl", LEDGER)
    hidden = raw.folder / place / name
    hidden.parent.mkdir(parents=True, exist_ok=True)
    hidden.write_bytes(HIDDEN[name])
    report = raw.load()
    assert {file.path.name: file.outcome for file in report.files} == {"good.jsonl": "loaded"}
    assert report.warnings == report.problems == []
    assert raw.sql("select count(*) from bronze.transaction_ledger_raw") == [(1,)]
    assert raw.sql("select count(*) from bronze.malformed_lines") == [(0,)]


def test_a_hidden_folder_may_be_loaded_if_it_is_the_one_that_is_named(raw: Bronze, tmp_path: Path) -> None:
    write(tmp_path / ".staging" / "orders.jsonl", [GOOD["orders"]])
    assert [file.outcome for file in raw.load(tmp_path / ".staging").files] == ["loaded"]


def test_a_name_with_an_underscore_is_data(raw: Bronze) -> None:
    """Only names that engines are known to write are hidden: a load must not lose a file that somebody named so."""
    raw.write("orders/_2026-02-01.jsonl", GOOD["orders"])
    assert raw.outcomes() == {"orders/_2026-02-01.jsonl": "loaded"}


RIGHT_NAMES = {
    # another ending
    "transaction_ledger.ndjson": "; name it transaction_ledger.jsonl",
    "transaction_ledger.json": "; name it transaction_ledger.jsonl",
    "transaction_ledger.JSONL": "; name it transaction_ledger.jsonl",
    "transaction_ledger.jsonlines": "; name it transaction_ledger.jsonl",
    "transaction_ledger.jsonl.txt": "; name it transaction_ledger.jsonl",
    "transaction_ledger.Json.GZ": "; name it transaction_ledger.jsonl.gz",
    "transaction_ledger.jsonl.GZ": "; name it transaction_ledger.jsonl.gz",
    "transaction_ledger.jsonl.gzip": "; name it transaction_ledger.jsonl.gz",
    "transaction_ledger.ndjson.gz": "; name it transaction_ledger.jsonl.gz",
    "transaction_ledger.jsonl.zst": "; decompress it into transaction_ledger.jsonl, or pack it with gzip as",
    "transaction_ledger.jsonl.bz2": "; decompress it into transaction_ledger.jsonl, or",
    "transaction_ledger.zip": "; decompress it into transaction_ledger.jsonl, or",
    "transaction_ledger.csv": "; write its rows as JSON lines into transaction_ledger.jsonl",
    "transaction_ledger.parquet": "; write its rows as JSON lines into transaction_ledger.jsonl",
    "transaction_ledger": "; if it is a whole file of JSON lines, name it transaction_ledger.jsonl",
    "transaction_ledger.jsonl.part": "; if it is a whole file of JSON lines, name it transaction_ledger.jsonl",
    "transaction_ledger/a.ndjson": "; name it a.jsonl",
    "transaction_ledger/a.JSONL": "; name it a.jsonl",
    "transaction_ledger/part-00000.json": "; name it part-00000.jsonl",
    "transaction_ledger/a.jsonl.xz": "; decompress it into a.jsonl, or pack it with gzip as a.jsonl.gz",
    "transaction_ledger/a.jsonl.tmp": "; if it is a whole file of JSON lines, name it a.jsonl",
    # another spelling
    "transaction-ledger.jsonl": "; name it transaction_ledger.jsonl",
    "TransactionLedger.jsonl": "; name it transaction_ledger.jsonl",
    "TRANSACTION_LEDGER.jsonl.gz": "; name it transaction_ledger.jsonl.gz",
    "transaction ledger.jsonl": "; name it transaction_ledger.jsonl",
    "transactionledger.ndjson": "; name it transaction_ledger.jsonl",
    "transaction_legder.jsonl": "; name it transaction_ledger.jsonl",
    "transactions_ledger.jsonl": "; name it transaction_ledger.jsonl",
    "bronze-transaction-ledger-raw.jsonl": "; name it transaction_ledger.jsonl",
    "bronze.transaction_ledger.jsonl": "; name it transaction_ledger.jsonl",
    "ledger.jsonl": "; name it transaction_ledger.jsonl",
    # more than the name
    "transaction_ledger-2026-02-02.jsonl": "; put it into the folder transaction_ledger"
    " (transaction_ledger/transaction_ledger-2026-02-02.jsonl), or name it transaction_ledger.jsonl",
    "20260202_transaction_ledger.jsonl": "; put it into the folder transaction_ledger (transaction_ledger/20260202_",
    "ledger-2026-02-02.ndjson": "; put it into the folder transaction_ledger (transaction_ledger/ledger-2026",
    "transaction_ledger (1).jsonl": "; put it into the folder transaction_ledger (",
    "Copy of transaction_ledger.jsonl": "; put it into the folder transaction_ledger (",
    # no name at all: the content says it
    "2026-02-02.jsonl": "; its first line looks like transaction_ledger: put it into the folder transaction_ledger (",
    "거래.jsonl": "; its first line looks like transaction_ledger: put it into the folder transaction_ledger (",
    "wallets.jsonl": "; its first line looks like transaction_ledger: put it into the folder transaction_ledger (",
    "data.json": "; its first line looks like transaction_ledger: put it into the folder transaction_ledger (",
    # folders
    "bronze.transaction_ledger_raw/a.jsonl": "; name the folder transaction_ledger",
    "transaction_legder/a.jsonl": "; name the folder transaction_ledger",
    "transaction-ledger/a.jsonl": "; name the folder transaction_ledger",
    "ledger/a.ndjson": "; name the folder transaction_ledger",
    "transaction_ledger.jsonl/part-00000.json": "; name the folder transaction_ledger",
    "transaction_ledger.jsonl/part-00000": "; name the folder transaction_ledger",
    "ledger.ndjson/part-00000-1a2b.c000.txt": "; name the folder transaction_ledger",
    "transaction_ledger.jsonl.gz/0": "; name the folder transaction_ledger",
    "2026-02-02/transaction_ledger.jsonl": "; load the folder that it lies in: plura lake load {folder}/2026-02-02",
    "raw/transaction_ledger/a.jsonl": "; to load it, plura lake load {folder}/raw",
    "a/b/transaction_ledger_raw/a.jsonl": "; to load it, plura lake load {folder}/a/b",
    "transaction_ledger/2026/a.jsonl": ": files lie in {folder}/transaction_ledger itself, not in folders below it",
}


@pytest.mark.parametrize("name", RIGHT_NAMES)
def test_a_near_miss_is_named_with_the_right_name_if_nothing_else_is_to_be_loaded(raw: Bronze, name: str) -> None:
    path = raw.write(name, LEDGER)
    with pytest.raises(LakeError) as problem:
        raw.load()
    shown = path.parent if name == "transaction_ledger/2026/a.jsonl" else path
    assert str(shown) in str(problem.value)
    assert RIGHT_NAMES[name].format(folder=raw.folder) in str(problem.value)


@pytest.mark.parametrize("name", RIGHT_NAMES)
def test_a_near_miss_is_never_passed_over_silently_beside_files_that_are_loaded(raw: Bronze, name: str) -> None:
    """Lines of no table refuse the folder before anything is loaded; another ending is a warning."""
    raw.write("orders.jsonl", GOOD["orders"])
    raw.write(name, LEDGER)
    wanted = RIGHT_NAMES[name].format(folder=raw.folder)
    try:
        (said,) = raw.load().warnings
        assert raw.sql("select count(*) from bronze.orders_raw") == [(1,)]
    except LakeError as error:
        said = str(error)
        assert name.endswith((".jsonl", ".jsonl.gz"))
        assert not raw.warehouse.exists()
    assert wanted in said


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("wallets", "user_wallets"),
        ("UserWallet", "user_wallets"),
        ("wallet_snapshots", "user_wallets"),
        ("payments", "payment_orders"),
        ("PaymentOrder", "payment_orders"),
        ("payment-orders-2026-02", "payment_orders"),
        ("order", "orders"),
        ("commerce_orders", "orders"),
        ("items", "order_items"),
        ("orderitem", "order_items"),
        ("product", "products"),
        ("prodcuts", "products"),
        ("ledger_entries", "transaction_ledger"),
        ("transactions", "transaction_ledger"),
    ],
)
def test_a_name_means_the_table_whose_words_it_has(raw: Bronze, name: str, right: str) -> None:
    """The lines have no key that tells."""
    raw.write(f"{name}.jsonl", {"note": 1})
    with pytest.raises(LakeError, match=rf"name it {right}\.jsonl"):
        raw.load()
    raw.write(f"{name}/a.jsonl", {"note": 1})
    (raw.folder / f"{name}.jsonl").unlink()
    with pytest.raises(LakeError, match=f"name the folder {right}"):
        raw.load()


@pytest.mark.parametrize("name", ["foo.jsonl", "사용자.jsonl", "2026.jsonl"])
def test_nothing_is_guessed_about_a_name_that_means_nothing(raw: Bronze, name: str) -> None:
    path = raw.write(name, {"note": 1})
    with pytest.raises(LakeError) as problem:
        raw.load()
    stem = name.split(".", maxsplit=1)[0]
    sources = "order_items, orders, payment_orders, products, transaction_ledger, user_wallets"
    assert str(problem.value) == (
        f"{path} belongs to no table: {stem!r} is none of {sources} (or their bronze table names)"
    )


@pytest.mark.parametrize("name", ["truth.json", "README.md", "notes.txt", "checksums.sha256", "docs/a.txt", "a/b.json"])
def test_files_that_are_not_meant_for_the_lake_are_left_alone(raw: Bronze, name: str) -> None:
    raw.write("orders.jsonl", GOOD["orders"])
    raw.write(name, json.dumps({"version": 1, "files": []}))
    report = raw.load()
    assert report.warnings == []
    assert report.count("loaded") == 1


def test_each_folder_of_no_table_is_one_part_of_the_message(raw: Bronze) -> None:
    for folder in ("wallets", "ledger"):
        for number in range(3):
            raw.write(f"{folder}/{number}.jsonl", {"note": 1})
    raw.write("foo.jsonl", {"note": 1})
    with pytest.raises(LakeError) as problem:
        raw.load()
    first, second, third = str(problem.value).split(". ")
    assert first.startswith(f"{raw.folder}/foo.jsonl belongs to no table: 'foo' is none of ")
    assert second == f"{raw.folder}/ledger/0.jsonl belongs to no table; name the folder transaction_ledger"
    assert third == f"{raw.folder}/wallets/0.jsonl belongs to no table; name the folder user_wallets"


def test_many_mistakes_are_counted_and_not_all_printed(raw: Bronze) -> None:
    for number in range(7):
        raw.write(f"foo{number}.jsonl", {"note": 1})
    with pytest.raises(LakeError, match=r"\. And 2 more$"):
        raw.load()
    for number in range(7):
        (raw.folder / f"foo{number}.jsonl").unlink()
    raw.write("orders/a.jsonl", GOOD["orders"])
    for number in range(25):
        raw.write(f"orders/{number}.ndjson", GOOD["orders"])
    warnings = raw.load().warnings
    assert len(warnings) == 21
    assert warnings[-1] == f"5 more files of {raw.folder} are not read"


@pytest.mark.parametrize("names", [["README.md"], [".DS_Store", "_SUCCESS"], ["a.txt", "b.txt"]])
def test_a_folder_with_nothing_to_load_is_refused_with_its_content_and_what_is_read(
    raw: Bronze, names: list[str]
) -> None:
    for name in names:
        raw.write(name, "x")
    with pytest.raises(LakeError) as problem:
        raw.load()
    assert str(problem.value) == (
        f"{raw.folder} holds no *.jsonl or *.jsonl.gz file to load, only {', '.join(names)}. Files are <source>.jsonl"
        " or <source>/*.jsonl, and the sources are order_items, orders, payment_orders, products, transaction_ledger,"
        " user_wallets"
    )


def test_the_command_prints_the_right_name_in_one_line(tmp_path: Path) -> None:
    plura = Plura(work=tmp_path, settings={})
    folder = tmp_path / "in"
    write(folder / "transaction_ledger-2026-02-02.jsonl", [LEDGER])
    outcome = plura("lake", "load", folder, "--no-validate")
    assert outcome.code == 1
    assert "put it into the folder transaction_ledger (" in outcome.error
    write(folder / "orders.jsonl", [GOOD["orders"]])
    (folder / "transaction_ledger-2026-02-02.jsonl").rename(folder / "transaction_ledger.ndjson")
    outcome = plura("lake", "load", folder, "--no-validate")
    assert outcome.code == 0
    assert outcome.err == (
        f"warning: {folder}/transaction_ledger.ndjson is not read: only *.jsonl and *.jsonl.gz files are; name it"
        " transaction_ledger.jsonl\n"
    )
