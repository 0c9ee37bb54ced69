"""Lines that were loaded before with other values: reported by the load, and replaced in one step."""

from __future__ import annotations

import gzip
import random
import re
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from python_jobs.load import repeated
from python_jobs.load.replace import ReplaceReport, replace_batch
from python_jobs.warehouse import LakeError
from tests.commands import Plura
from tests.dbt_runs import PROJECT
from tests.loads import GOOD, NOW, Bronze, write

LEDGER = GOOD["transaction_ledger"]
EXTRACTED = {"source_extracted_at": "2026-02-02T00:00:00Z"}
LATER = {"source_extracted_at": "2026-02-03T00:00:00Z"}
UPDATED = {"updated_at": "2026-02-02T00:00:00Z"}


@pytest.fixture
def raw(tmp_path: Path) -> Bronze:
    """An empty warehouse and an empty folder."""
    return Bronze(work=tmp_path)


def repeats(raw: Bronze) -> list[str]:
    """Load the folder, and return what is said of keys that are there already."""
    return [text for text in raw.load().warnings if "keys are already there" in text]


def ids(raw: Bronze) -> list[str]:
    return [row[0] for row in raw.sql("select batch_id from bronze.load_registry order by batch_seq")]


CORRECTIONS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("transaction_ledger", {}, {"amount": "11.00"}),
    ("transaction_ledger", {}, {"type": "MINT"}),
    ("transaction_ledger", {}, {"related_id": None}),
    ("transaction_ledger", {}, {"created_at": "2026-02-05T00:00:00Z"}),
    ("transaction_ledger", {"created_at": "2062-02-01T00:00:00Z"}, {"created_at": "2026-02-01T00:00:00Z"}),
    ("transaction_ledger", EXTRACTED, LATER | {"amount": "11.00"}),
    ("transaction_ledger", {}, UPDATED | {"amount": "11.00"}),
    ("user_wallets", EXTRACTED, {"balance": "999.00"}),
    ("user_wallets", EXTRACTED, {"frozen_amount": "1.00"}),
    ("user_wallets", EXTRACTED, {"is_deleted": True}),
    ("user_wallets", {}, {"balance": "999.00"}),
    ("payment_orders", {}, {"amount": "11.00"}),
    ("payment_orders", {}, {"status": "FAILED"}),
    ("payment_orders", UPDATED, {"merchant_name": "Shop B"}),
    ("payment_orders", EXTRACTED, {"user_id": "user_2"}),
    ("orders", {}, {"total_amount": "11.00"}),
    ("orders", UPDATED, {"status": None}),
    ("order_items", {}, {"quantity": 2}),
    ("order_items", EXTRACTED, {"product_id": 8}),
    ("products", {}, {"category": "COFFEE"}),
    ("products", UPDATED, {"is_display": False}),
]


@pytest.mark.parametrize(("source", "more", "change"), CORRECTIONS)
def test_a_correction_without_a_withdrawal_is_reported(
    raw: Bronze, source: str, more: dict[str, Any], change: dict[str, Any]
) -> None:
    line = GOOD[source] | more
    raw.write(f"{source}/first.jsonl", line)
    assert repeats(raw) == []
    path = raw.write(f"{source}/second.jsonl", line | change)
    first = ids(raw)[0]
    (said,) = repeats(raw)
    assert said.startswith(
        f"{path}: 1 of 1 keys are already there from batch {first} ({source}/first.jsonl) with other values: "
    )
    assert said.endswith(f"If this file replaces that one: plura lake replace {first} {path} --reason …")
    assert ("quarantined as conflicting" in said) == (source == "transaction_ledger")


SAME: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    *[(source, {}, {}) for source in GOOD],
    # nothing that Silver reads
    ("transaction_ledger", {}, {"unknown": 1}),
    ("transaction_ledger", {}, UPDATED),
    ("transaction_ledger", EXTRACTED, LATER),
    ("transaction_ledger", {"amount": "10.00"}, {"amount": 10}),
    ("transaction_ledger", {}, {"created_at": "2026-02-01T09:00:00+09:00"}),
    ("user_wallets", EXTRACTED | {"is_deleted": None}, {"is_deleted": False}),
    # a newer version, or another snapshot
    ("user_wallets", EXTRACTED, LATER | {"balance": "999.00"}),
    ("user_wallets", {}, UPDATED | {"balance": "999.00"}),
    ("payment_orders", {}, UPDATED | {"status": "FAILED"}),
    ("payment_orders", EXTRACTED, LATER | {"status": "FAILED"}),
    ("orders", UPDATED, {"updated_at": "2026-02-02T00:00:01Z", "status": "FAILED"}),
    ("order_items", EXTRACTED, LATER | {"quantity": 3}),
    ("products", EXTRACTED, LATER | {"price_krw": "12.00"}),
    # another key
    ("transaction_ledger", {}, {"wallet_id": "user_2", "amount": "11.00"}),
    ("user_wallets", EXTRACTED, {"user_id": "user_2", "balance": "1.00"}),
    ("order_items", {}, {"item_id": 2, "quantity": 2}),
    ("transaction_ledger", {"tx_id": None}, {"amount": "11.00"}),
]


@pytest.mark.parametrize(("source", "more", "change"), SAME)
def test_lines_that_say_the_same_or_are_newer_versions_are_not_reported(
    raw: Bronze, source: str, more: dict[str, Any], change: dict[str, Any]
) -> None:
    line = GOOD[source] | more
    raw.write(f"{source}/first.jsonl", line)
    raw.load()
    raw.write(f"{source}/second.jsonl", line | change | {"n": 2})
    assert repeats(raw) == []
    assert len(ids(raw)) == 2


def test_keys_are_counted_by_the_batch_that_has_most_of_them(raw: Bronze) -> None:
    for name, numbers in (("a", (1, 2)), ("b", (3, 4, 5)), ("c", (6,))):
        raw.write(f"transaction_ledger/{name}.jsonl", *[LEDGER | {"tx_id": f"tx_{n}"} for n in numbers])
    raw.load()
    batches = dict(raw.sql("select source_file, batch_id from bronze.load_registry"))
    changed = [LEDGER | {"tx_id": f"tx_{n}", "amount": "11.00"} for n in (1, 3, 4, 4)]
    raw.write("transaction_ledger/d.jsonl", *changed, LEDGER | {"tx_id": "tx_5"}, LEDGER | {"tx_id": "tx_9"})
    (said,) = repeats(raw)
    assert f"2 of 5 keys are already there from batch {batches['transaction_ledger/b.jsonl']}" in said
    assert "(transaction_ledger/b.jsonl) and 1 more with other values" in said


def test_two_files_of_one_load_are_compared_as_well(raw: Bronze) -> None:
    raw.write("orders/a.jsonl", GOOD["orders"])
    raw.write("orders/b.jsonl", GOOD["orders"] | {"total_amount": 11})
    (said,) = repeats(raw)
    assert f"{raw.folder}/orders/b.jsonl: 1 of 1 keys are already there from batch" in said


def test_withdrawn_rows_are_not_counted(raw: Bronze) -> None:
    raw.write("transaction_ledger/a.jsonl", LEDGER)
    raw.load()
    plura = Plura(work=raw.work, settings={})
    assert plura("lake", "withdraw", ids(raw)[0], "--reason", "wrong").code == 0
    (raw.folder / "transaction_ledger/a.jsonl").unlink()
    raw.write("transaction_ledger/b.jsonl", LEDGER | {"amount": "11.00"})
    assert repeats(raw) == []


def test_of_a_key_with_versions_the_last_line_before_counts(raw: Bronze) -> None:
    """Corrected once, an order is extracted again as it is: that is no correction of the first file."""
    raw.write("orders/a.jsonl", GOOD["orders"])
    raw.load()
    corrected = GOOD["orders"] | {"total_amount": 11}
    raw.write("orders/b.jsonl", corrected)
    assert len(repeats(raw)) == 1
    raw.write("orders/c.jsonl", corrected | {"n": 1})
    assert repeats(raw) == []


def test_a_load_is_compared_with_a_bounded_number_of_lines(raw: Bronze, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the batches that arrived last."""
    monkeypatch.setattr(repeated, "MOST_LINES", 25)
    for number in range(4):
        raw.write(f"orders/{number}.jsonl", *[GOOD["orders"] | {"order_id": number * 10 + n} for n in range(10)])
        raw.load()
    raw.write("orders/late.jsonl", GOOD["orders"] | {"order_id": 5, "total_amount": 11})
    assert repeats(raw) == []
    raw.write("orders/later.jsonl", GOOD["orders"] | {"order_id": 35, "total_amount": 11})
    assert len(repeats(raw)) == 1


# Replacing ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def loaded(raw: Bronze) -> Bronze:
    """A ledger file with a wrong amount, a file of payment orders, and a corrected ledger file beside the folder."""
    raw.write("transaction_ledger/day.jsonl", *[LEDGER | {"tx_id": f"tx_{n}"} for n in range(3)])
    raw.write("payment_orders.jsonl", GOOD["payment_orders"])
    raw.load(extracted_at=datetime(2026, 2, 2, tzinfo=UTC))
    right = [LEDGER | {"tx_id": f"tx_{n}", "amount": "11.00" if n == 1 else "10.00"} for n in range(3)]
    write(raw.work / "right.jsonl", right)
    return raw


def replace(raw: Bronze, batch: str | None = None, file: str = "right.jsonl", **options: Any) -> ReplaceReport:
    return replace_batch(
        project_dir=PROJECT,
        warehouse=raw.warehouse,
        batch_id=batch or ledger_batch(raw),
        file=raw.work / file,
        reason="wrong amount",
        **({"now": NOW} | options),
    )


def ledger_batch(raw: Bronze) -> str:
    (batch,) = raw.sql("select batch_id from bronze.load_registry where source_file = 'transaction_ledger/day.jsonl'")
    return str(batch[0])


def registry(raw: Bronze) -> dict[str, tuple[str, str | None]]:
    return {
        file: (status, reason)
        for file, status, reason in raw.sql("select source_file, status, reason from bronze.load_registry")
    }


def counted(raw: Bronze) -> list[tuple[Any, ...]]:
    """Key, amount and extraction instant of the ledger lines that Silver reads."""
    return raw.sql(
        "select tx_id, amount::int, source_extracted_at from bronze.transaction_ledger_raw"
        " where batch_id in (select batch_id from bronze.load_registry where status = 'loaded') order by all"
    )


def test_a_batch_is_replaced_in_one_step_with_its_extraction_instant(loaded: Bronze) -> None:
    old = ledger_batch(loaded)
    report = replace(loaded, old[:10])
    at = datetime(2026, 2, 2)
    assert counted(loaded) == [("tx_0", 10, at), ("tx_1", 11, at), ("tx_2", 10, at)]
    assert (report.old.batch_id, report.is_new, report.warnings, report.days) == (old, True, [], {date(2026, 2, 1)})
    assert registry(loaded) == {
        "transaction_ledger/day.jsonl": ("withdrawn", f"replaced by {report.new.batch_id}: wrong amount"),
        "right.jsonl": ("loaded", f"replaces {old}: wrong amount"),
        "payment_orders.jsonl": ("loaded", None),
    }
    before = loaded.everything()
    again = replace(loaded, old)
    assert not again.is_new
    assert loaded.everything() == before


def test_the_replaced_file_does_not_come_back_with_the_next_load_of_its_folder(loaded: Bronze) -> None:
    report = replace(loaded)
    before = loaded.everything()
    load = loaded.load(extracted_at=datetime(2026, 2, 2, tzinfo=UTC))
    path = loaded.folder / "transaction_ledger/day.jsonl"
    assert {file.path.name: file.outcome for file in load.files} == {
        "day.jsonl": "replaced",
        "payment_orders.jsonl": "unchanged",
    }
    assert load.warnings == [f"{path} was replaced by batch {report.new.batch_id}; plura lake reinstate brings it back"]
    assert loaded.everything() == before


def test_a_file_that_was_loaded_already_takes_the_place_as_it_is(loaded: Bronze) -> None:
    """The load reported it; the command that it names settles it."""
    path = loaded.write("transaction_ledger/right.jsonl", (loaded.work / "right.jsonl").read_bytes().rstrip())
    at = datetime(2026, 2, 2, tzinfo=UTC)
    warnings = loaded.load(extracted_at=at).warnings
    assert [text for text in warnings if f"plura lake replace {ledger_batch(loaded)} {path}" in text]
    rows = loaded.everything()["transaction_ledger_raw"]
    report = replace(loaded, file="incoming/transaction_ledger/right.jsonl")
    assert loaded.everything()["transaction_ledger_raw"] == rows
    assert [amount for _, amount, _ in counted(loaded)] == [10, 11, 10]
    assert report.new.source_file == "transaction_ledger/right.jsonl"
    # and back: the withdrawn batch is the file now
    back = replace(loaded, report.new.batch_id, file="incoming/transaction_ledger/day.jsonl")
    assert [amount for _, amount, _ in counted(loaded)] == [10, 10, 10]
    assert back.new.batch_id == ledger_batch(loaded)


def test_keys_that_the_file_lacks_are_reported(loaded: Bronze) -> None:
    write(loaded.work / "one.jsonl", [LEDGER | {"tx_id": "tx_1", "amount": "11.00"}, "no json"])
    report = replace(loaded, file="one.jsonl")
    path = loaded.work / "one.jsonl"
    lacking, malformed = report.warnings
    assert lacking == (
        f"{path} has no line for 2 of the 3 keys of batch {report.old.batch_id}: their lines are withdrawn, unless"
        " another batch has them"
    )
    assert malformed == (
        f"{path}: 1 of 2 lines are not JSON objects; they are kept with their line numbers in bronze.malformed_lines,"
        f" batch {report.new.batch_id}"
    )
    assert len(counted(loaded)) == 1


def test_days_of_both_are_named(loaded: Bronze) -> None:
    write(loaded.work / "moved.jsonl", [LEDGER | {"tx_id": f"tx_{n}", "created_at": "2026-02-04"} for n in range(3)])
    assert replace(loaded, file="moved.jsonl").days == {date(2026, 2, 1), date(2026, 2, 4)}


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("missing.jsonl", None, "is not a file: name the one that replaces batch"),
        ("orders.jsonl", [LEDGER], "is named as a file of orders, but batch"),
        ("orders/right.jsonl", [LEDGER], "is named as a file of orders, but batch"),
        ("products_raw/right.jsonl", [LEDGER], "is named as a file of products, but batch"),
        ("right.jsonl", [GOOD["payment_orders"]], "does not fit bronze.transaction_ledger_raw: no line has tx_id"),
        ("right.jsonl", [GOOD["user_wallets"]], "does not fit bronze.transaction_ledger_raw: no line has tx_id"),
        ("right.jsonl", [], "holds no line: nothing was replaced"),
        ("right.jsonl", ["<html></html>"], "it looks like an HTML page"),
        ("right.jsonl", [b"\xff\xfe{\x00}\x00"], "it looks like UTF-16 text"),
        ("right.jsonl.gz", [gzip.compress(b"{}\n" * 99, mtime=0)[:-9]], "is a broken gzip file"),
    ],
)
def test_a_file_that_cannot_replace_the_batch_changes_nothing(
    loaded: Bronze, name: str, content: list[Any] | None, problem: str
) -> None:
    (loaded.work / "right.jsonl").unlink()
    if content is not None:
        write(loaded.work / name, content)
    before = loaded.everything()
    with pytest.raises(LakeError, match=re.escape(problem)):
        replace(loaded, file=name)
    assert loaded.everything() == before


def test_a_batch_that_is_not_counted_or_unknown_is_not_replaced(loaded: Bronze) -> None:
    plura = Plura(work=loaded.work, settings={})
    old = ledger_batch(loaded)
    with pytest.raises(LakeError, match="no batch with the id 'zz'"):
        replace(loaded, "zz")
    with pytest.raises(LakeError, match=f"is what batch {old} holds: there is nothing to replace"):
        replace(loaded, file="incoming/transaction_ledger/day.jsonl")
    first = replace(loaded)
    write(loaded.work / "third.jsonl", [LEDGER | {"tx_id": "tx_1", "amount": "12.00"}])
    before = loaded.everything()
    with pytest.raises(LakeError, match=rf"is withdrawn already \(replaced by {first.new.batch_id}: wrong amount\)"):
        replace(loaded, old, file="third.jsonl")
    assert loaded.everything() == before
    assert replace(loaded, first.new.batch_id, file="third.jsonl").old.batch_id == first.new.batch_id
    assert plura("lake", "withdraw", ledger_batch(loaded)[:8], "--reason", "x").error.endswith("is withdrawn already")


def test_another_extraction_instant_may_be_named(loaded: Bronze) -> None:
    replace(loaded, extracted_at=datetime(2026, 2, 3, tzinfo=UTC))
    assert {at for *_, at in counted(loaded)} == {datetime(2026, 2, 3)}


def test_the_command_replaces_and_names_what_to_run(loaded: Bronze) -> None:
    plura = Plura(work=loaded.work, settings={})
    old = ledger_batch(loaded)
    arguments = ("lake", "replace", old[:12], loaded.work / "right.jsonl")
    assert "Missing option '--reason'" in plura(*arguments).err
    assert "give a reason in a few words" in plura(*arguments, "--reason", " ").err
    outcome = plura(*arguments, "--reason", "wrong [amount]", "--target", "duckdb")
    assert (outcome.code, outcome.err) == (0, "")
    first, second, third = outcome.out.splitlines()
    assert first == f"batch {old} (transaction_ledger_raw, transaction_ledger/day.jsonl) is withdrawn now"
    assert re.fullmatch(r"batch [0-9a-f]{16} \(transaction_ledger_raw, right.jsonl\) replaces it: 3 lines", second)
    assert third == "next: plura lake run --from 2026-02-01 --to 2026-02-01 --target duckdb"
    again = plura(*arguments, "--reason", "wrong [amount]", "--no-validate")
    assert (again.code, again.err) == (0, "")
    assert re.fullmatch(rf"batch {old} \(.*\) was already replaced by [0-9a-f]{{16}}\n", again.out)
    assert plura("lake", "replace", "x", loaded.work / "right.jsonl", "--reason", "x").code == 1


KILLS = 12


def start_replace(raw: Bronze, old: str) -> subprocess.Popen[str]:
    """The replacement in another process, which tells each block of lines that it has read."""
    code = (
        "import sys\n"
        "from datetime import UTC, datetime\n"
        "from pathlib import Path\n"
        "from python_jobs.load import lines\n"
        "from python_jobs.load.replace import replace_batch\n"
        "lines._BLOCK = 20_000\n"
        "project, path, file = map(Path, sys.argv[1:4])\n"
        "replace_batch(project_dir=project, warehouse=path, file=file, batch_id=sys.argv[4], reason='x',\n"
        "    now=datetime.now(UTC), progress=lambda done, total, piece: print(done, flush=True))\n"
        "print('done', flush=True)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(PROJECT), str(raw.warehouse), str(raw.work / "right.jsonl"), old],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_killed_replacement_leaves_one_of_the_two_counted_and_the_same_command_ends_it(tmp_path: Path) -> None:
    """SIGKILL at a random block and a moment more, also around the commit."""
    chance = random.Random(20260301)
    raw = Bronze(work=tmp_path)
    wrong = [LEDGER | {"tx_id": f"tx_{n}", "note": "x" * 50} for n in range(2_000)]
    raw.write("transaction_ledger/day.jsonl", *wrong)
    raw.load()
    write(raw.work / "right.jsonl", [line | {"amount": "11.00"} for line in wrong])
    old = ledger_batch(raw)
    outcomes = set()
    for number in range(KILLS):
        process = start_replace(raw, old)
        assert process.stdout is not None
        blocks = chance.randint(1, 20) if number % 3 else 1_000
        for line in process.stdout:
            blocks -= 1
            if not blocks or line == "done\n":
                break
        time.sleep(chance.uniform(0, 0.03))
        process.kill()
        process.wait()
        process.stdout.close()
        amounts = raw.sql(
            "select amount::int, count(*) from bronze.transaction_ledger_raw where batch_id in"
            " (select batch_id from bronze.load_registry where status = 'loaded') group by all"
        )
        assert amounts in ([(10, 2_000)], [(11, 2_000)])
        outcomes.add(amounts[0][0])
        if amounts == [(11, 2_000)]:
            # once more from the beginning
            (raw.warehouse).unlink()
            raw.load()
    assert outcomes == {10, 11}
    replace(raw, old)
    assert {amount for _, amount, _ in counted(raw)} == {11}
    assert len(counted(raw)) == 2_000


# The extraction instant -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instant", "why"),
    [
        ("2062-02-02T00:00:00Z", "lies in the future"),
        pytest.param((datetime.now(UTC) + timedelta(days=2)).isoformat(), "lies in the future", id="in two days"),
        ("1989-12-31T23:59:59Z", "lies before 1990"),
        ("1970-01-01", "lies before 1990"),
        ("0001-01-01T00:00:00", "lies before 1990"),
        ("1990-01-01T00:00:00+09:00", "lies before 1990"),
        ("9999-12-31T23:00:00Z", "lies in the future"),
    ],
)
def test_an_implausible_extraction_instant_is_reported_with_a_remedy(raw: Bronze, instant: str, why: str) -> None:
    raw.write("orders/a.jsonl", GOOD["orders"])
    raw.write("orders/b.jsonl", GOOD["orders"] | {"order_id": 2})
    plura = Plura(work=raw.work, settings={})
    for _ in range(2):  # of files that were loaded before as well
        outcome = plura("lake", "load", raw.folder, "--no-validate", "--extracted-at", instant)
        assert outcome.code == 0
        (line,) = outcome.err.splitlines()
        assert line.startswith("warning: --extracted-at ")
        assert f" {why}: the next run quarantines every line that carries no extraction instant of its own" in line
        assert f"plura lake withdraw {' '.join(ids(raw))} --reason …" in line


@pytest.mark.parametrize(
    "instant",
    [
        "1990-01-01",
        "2026-02-02T00:00:00",
        pytest.param((datetime.now(UTC) + timedelta(hours=20)).isoformat(), id="soon"),
    ],
)
def test_an_extraction_instant_that_may_be_meant_is_not_reported(raw: Bronze, instant: str) -> None:
    """A clock of the source may run ahead, or be of another zone."""
    raw.write("orders.jsonl", GOOD["orders"])
    plura = Plura(work=raw.work, settings={})
    outcome = plura("lake", "load", raw.folder, "--no-validate", "--extracted-at", instant)
    assert (outcome.code, outcome.err) == (0, "")
