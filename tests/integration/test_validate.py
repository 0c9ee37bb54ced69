"""Great Expectations before a load: what it warns of, what it keeps to itself, and what it costs."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import pytest

from python_jobs.validate import Validator, batches
from python_jobs.warehouse import LakeError
from tests.dbt_runs import PROJECT
from tests.loads import GOOD, Bronze

PERSONAL = {
    "user_id": "kim-minjun-4711",
    "merchant_name": "Confectioner of Jongno",
    "amount": "-98765.43",
    "status": "REFUNDED_TO_KIM",
    "created_at": "on his birthday",
    "order_id": "po_secret_77",
    "note": "010-1234-5678",
}


@pytest.fixture
def raw(tmp_path: Path) -> Bronze:
    """An empty warehouse and an empty folder."""
    return Bronze(work=tmp_path)


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of Data Docs for the tests of this file; setting one up takes as long as ten checks."""
    return tmp_path_factory.mktemp("docs")


@pytest.fixture
def validator(docs: Path) -> Validator:
    """The validator of the project."""
    return Validator(project_dir=PROJECT, docs_dir=docs)


def orders(*changes: dict[str, Any], good: int = 6) -> list[dict[str, Any]]:
    return [GOOD["payment_orders"] | {"order_id": f"po_{n}"} for n in range(good)] + [
        GOOD["payment_orders"] | change for change in changes
    ]


def test_good_files_of_all_tables_raise_no_warning_and_have_pages(raw: Bronze, validator: Validator) -> None:
    for source, line in GOOD.items():
        raw.write(f"{source}.jsonl", line)
    report = raw.load(validator=validator)
    assert report.warnings == []
    assert report.count("loaded") == len(GOOD)
    assert report.data_docs is not None
    assert report.data_docs.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    pages = {path.parts[-4] for path in report.data_docs.parent.glob("validations/*/*/*/*.html")}
    assert pages == {f"{source}_raw" for source in GOOD}


def test_each_soft_finding_is_a_warning_and_the_file_is_loaded(raw: Bronze, validator: Validator) -> None:
    raw.write(
        "payment_orders.jsonl",
        *orders(
            {"order_id": None},
            {"amount": "1.234"},
            {"amount": 0},
            {"amount": "-5"},
            {"status": "BROKEN"},
            {"status": None},
            {"created_at": "yesterday"},
        ),
    )
    raw.write("user_wallets.jsonl", GOOD["user_wallets"], GOOD["user_wallets"] | {"balance": -1, "is_deleted": "maybe"})
    report = raw.load(validator=validator)
    assert report.count("loaded") == 2
    allowed = "PAID, PENDING, FAILED, CANCELLED, REFUNDED"
    assert report.warnings == [
        "bronze.user_wallets_raw: 1 of 2 checked lines: balance is below 0",
        "bronze.user_wallets_raw: 1 of 2 checked lines: is_deleted is not of type boolean",
        "bronze.payment_orders_raw: 1 of 13 checked lines: order_id is missing or no string",
        "bronze.payment_orders_raw: 1 of 13 checked lines: amount is missing or no decimal(18,2)",
        "bronze.payment_orders_raw: 2 of 13 checked lines: amount is not above 0",
        f"bronze.payment_orders_raw: 1 of 13 checked lines: status is none of {allowed}",
        "bronze.payment_orders_raw: 1 of 13 checked lines: created_at is not of type timestamp",
    ]


@pytest.mark.parametrize(
    "other_keys", [{}, {"event_time": "2026-02-01T03:00:00Z"}], ids=["only time", "beside event_time"]
)
def test_a_finding_names_the_key_of_the_line_once(
    raw: Bronze, validator: Validator, other_keys: dict[str, str]
) -> None:
    """Two columns of the ledger read created_at; the name of one of them is in no file."""
    raw.write(
        "transaction_ledger.jsonl",
        GOOD["transaction_ledger"],
        GOOD["transaction_ledger"] | {"created_at": 0} | other_keys,
    )
    report = raw.load(validator=validator)
    assert report.warnings == [
        "bronze.transaction_ledger_raw: 1 of 2 checked lines: created_at is not of type timestamp"
    ]


def test_a_refused_file_is_reported_in_one_line_without_findings(raw: Bronze, validator: Validator) -> None:
    raw.write("payment_orders.jsonl", *[GOOD["transaction_ledger"]] * 3)
    report = raw.load(validator=validator)
    assert report.warnings == []
    assert len(report.problems) == 1


def test_an_unreadable_file_is_left_to_the_load(raw: Bronze, validator: Validator) -> None:
    raw.write("payment_orders/good.jsonl", *orders({"amount": 0}))
    (raw.folder / "payment_orders/bad.jsonl").write_bytes(gzip.compress(b"{}\n" * 9)[:-9])
    report = raw.load(validator=validator)
    assert report.warnings == ["bronze.payment_orders_raw: 1 of 7 checked lines: amount is not above 0"]
    assert [problem.split("/")[-1][:33] for problem in report.problems] == ["bad.jsonl is a broken gzip file ("]


def test_no_value_of_a_batch_is_written_to_data_docs(raw: Bronze, tmp_path: Path) -> None:
    raw.write("payment_orders.jsonl", *orders(PERSONAL, {key: [value] for key, value in PERSONAL.items()}, good=2))
    validator = Validator(project_dir=PROJECT, docs_dir=tmp_path / "docs")
    assert len(raw.load(validator=validator).warnings) >= 4
    written = [path for path in (tmp_path / "docs").rglob("*") if path.suffix in {".html", ".json", ".yml"}]
    assert len(written) > 5
    text = "".join(path.read_text(encoding="utf-8") for path in written)
    values = [*PERSONAL.values(), *map(str, (98765.43, "98,765", "po_0", "po_1", *GOOD["payment_orders"].values()))]
    named_by_contract = {"PAID"}
    assert [value for value in values if value in text and value not in named_by_contract] == []


def test_a_load_checks_a_bounded_number_of_lines(
    raw: Bronze, validator: Validator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "SAMPLE_LINES", 12)
    for number in range(3):
        raw.write(f"payment_orders/{number}.jsonl", *[{"order_id": f"{number}-{n}", "amount": 0} for n in range(500)])
    assert raw.load(validator=validator).warnings == [
        "bronze.payment_orders_raw: 12 of 12 checked lines: amount is not above 0"
    ]
    for number in range(3, 23):
        raw.write(f"payment_orders/{number}.jsonl", *[{"order_id": f"{number}-{n}", "amount": 0} for n in range(2)])
    assert raw.load(validator=validator).warnings == [
        "bronze.payment_orders_raw: 12 of 12 checked lines: amount is not above 0"
    ]


def test_data_docs_keep_the_newest_outcomes_only(raw: Bronze, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "KEPT_OUTCOMES", 2)
    validator = Validator(project_dir=PROJECT, docs_dir=tmp_path / "docs")
    for number in range(4):
        raw.write("payment_orders.jsonl", *orders(good=number + 1))
        raw.load(validator=validator)
    site = tmp_path / "docs" / "gx" / "uncommitted"
    results = sorted(path.parent.name for path in site.glob("validations/*/*/*/*.json"))
    pages = sorted(path.parent.name for path in site.glob("data_docs/local_site/validations/*/*/*/*.html"))
    assert len(results) == 2
    assert pages == results
    index = (site / "data_docs/local_site/index.html").read_text(encoding="utf-8")
    assert all(page in index for page in pages)


def test_data_docs_that_cannot_be_written_stop_the_load_before_it_begins(raw: Bronze, tmp_path: Path) -> None:
    raw.write("orders.jsonl", GOOD["orders"])
    (tmp_path / "file").touch()
    validator = Validator(project_dir=PROJECT, docs_dir=tmp_path / "file" / "docs")
    with pytest.raises(LakeError, match=r"Data Docs cannot be written to .*/docs \(Not a directory\): name another"):
        raw.load(validator=validator)
    assert raw.sql("select count(*) from bronze.orders_raw") == [(0,)]


def test_files_that_were_loaded_before_are_not_checked_again(raw: Bronze, tmp_path: Path) -> None:
    raw.write("orders.jsonl", GOOD["orders"])
    raw.load()
    validator = Validator(project_dir=PROJECT, docs_dir=tmp_path / "docs")
    assert raw.load(validator=validator).data_docs is None
    assert not (tmp_path / "docs").exists()
    shutil.copy(raw.folder / "orders.jsonl", raw.folder / "copy.jsonl.txt")
    assert raw.load(validator=validator).data_docs is None
