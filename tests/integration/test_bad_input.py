"""Every bad input gives one line that names it and says what to do, and leaves the warehouse as it was."""

from __future__ import annotations

import gzip
import re
import resource
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from python_jobs.warehouse import LakeError, explain, plain_errors
from tests.commands import Plura
from tests.loads import GOOD, Bronze, content, write

NEXT_YEAR = (datetime.now(UTC) + timedelta(days=366)).date()


@pytest.fixture
def plura(tmp_path: Path) -> Plura:
    """The command with an empty warehouse below the test's folder."""
    return Plura(work=tmp_path, settings={})


@pytest.fixture
def filled(plura: Plura) -> Bronze:
    """The warehouse after one file of orders."""
    bronze = Bronze(work=plura.work)
    bronze.write("orders/first.jsonl", GOOD["orders"])
    bronze.load()
    return bronze


def refused(plura: Plura, *arguments: str | Path, code: int = 1) -> str:
    """The error line of a command that must fail."""
    outcome = plura(*arguments)
    assert outcome.code == code, outcome
    assert "Traceback" not in outcome.out + outcome.err
    return outcome.error


def load(plura: Plura, folder: Path, *options: str) -> str:
    return refused(plura, "lake", "load", folder, "--no-validate", *options)


def test_a_missing_folder_and_one_without_files_are_named(plura: Plura, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert (
        load(plura, missing)
        == f"{missing} is not a folder: name one that holds <table>/*.jsonl or <source>.jsonl files"
    )
    file = write(tmp_path / "orders.jsonl", [GOOD["orders"]])
    assert load(plura, file).startswith(f"{file} is not a folder: ")
    empty = tmp_path / "empty [1]"
    empty.mkdir()
    assert load(plura, empty) == f"{empty} holds no *.jsonl or *.jsonl.gz file to load"


def test_a_folder_of_no_table_is_named(plura: Plura, tmp_path: Path) -> None:
    path = write(tmp_path / "in" / "ledger" / "a.jsonl", [GOOD["transaction_ledger"]])
    assert load(plura, tmp_path / "in") == (
        f"{path} belongs to no table: 'ledger' is none of order_items, orders, payment_orders, products,"
        " transaction_ledger, user_wallets (or their bronze table names); name the folder transaction_ledger"
    )


@pytest.mark.parametrize(
    ("name", "bytes_", "problem"),
    [
        ("orders/wrong.jsonl", content([GOOD["products"]]), "does not fit bronze.orders_raw: no line has order_id; it"),
        (
            "products/wrong.jsonl",
            content([GOOD["order_items"]]),
            "it has only product_id of its keys; it looks like or",
        ),
        ("orders/keyless.jsonl", content([{"id": 1}, {"id": 2}]), "no line has order_id. Nothing of it was loaded"),
        ("orders/cut.jsonl.gz", gzip.compress(content([GOOD["orders"]] * 99), mtime=0)[:-9], "is a broken gzip file ("),
        (
            "orders/long.jsonl",
            b"{}\n" + b"[" * (17 << 20),
            ":2: the line is longer than 16 MiB; is this a file of",
        ),
        (
            "orders/page.jsonl",
            b"<html>404</html>",
            "has no JSON object in any line; it looks like an HTML page. Nothing",
        ),
        ("orders/binary.jsonl", b"\x1f\x8b\x08" + bytes(range(256)) * 9, "is a broken gzip file ("),
    ],
)
def test_a_file_that_cannot_be_loaded_is_named_and_leaves_nothing(
    plura: Plura, filled: Bronze, name: str, bytes_: bytes, problem: str
) -> None:
    before = filled.everything()
    path = plura.work / "bad" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes_)
    line = load(plura, plura.work / "bad")
    assert line.startswith(str(path))
    assert problem in line
    assert filled.everything() == before


def test_a_file_that_cannot_be_read_is_named(plura: Plura, filled: Bronze) -> None:
    """A process cannot read its own memory at address 0, whoever it belongs to."""
    before = filled.everything()
    (plura.work / "bad").mkdir()
    (plura.work / "bad/orders.jsonl").symlink_to("/proc/self/mem")
    line = load(plura, plura.work / "bad")
    assert line == f"{plura.work}/bad/orders.jsonl cannot be read (Input/output error); nothing of it was loaded"
    assert filled.everything() == before


@pytest.mark.parametrize(
    ("bytes_", "warning"),
    [
        (b"", "holds no line: nothing to load"),
        (
            content([GOOD["orders"], '{"order_id": 7,']),
            ": 1 of 2 lines are not JSON objects; they are kept with their l",
        ),
        (content([GOOD["orders"], b'{"order_id": "\xff"}']), ": 1 of 2 lines are not JSON objects; they are kept with"),
        (
            content([GOOD["orders"] | {"total_amount": "1" * 30}]),
            "1 of 1 checked lines: total_amount is not of type decimal(",
        ),
        (content([GOOD["orders"] | {"order_id": 2**63}]), "1 of 1 checked lines: order_id is missing or no bigint"),
        (
            content([GOOD["orders"] | {"status": "LOST"}]),
            "1 of 1 checked lines: status is none of PAID, PENDING",
        ),
        (
            content([GOOD["orders"] | {"created_at": "2026-02-30"}]),
            "1 of 1 checked lines: created_at is not of type timestamp",
        ),
    ],
)
def test_what_a_line_lacks_is_a_warning_and_the_line_is_kept(plura: Plura, bytes_: bytes, warning: str) -> None:
    folder = plura.work / "in"
    folder.mkdir()
    (folder / "orders.jsonl").write_bytes(bytes_)
    outcome = plura("lake", "load", folder)
    assert outcome.code == 0
    (line,) = outcome.err.splitlines()
    assert line.startswith("warning: ")
    assert warning in line
    kept = Bronze(work=plura.work).sql(
        "select raw_json from bronze.orders_raw union all select raw_line from bronze.malformed_lines"
    )
    assert len(kept) == len([line for line in bytes_.splitlines() if line])


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ["run", "--date", "2026-02-30"],
            "Invalid value for --date: '2026-02-30' is not a date: write it as YYYY-MM-DD",
        ),
        (["run", "--date", "tomorrow"], "'tomorrow' is not a date: write it as YYYY-MM-DD (see plura lake run --help)"),
        (["run", "--from", "2026-02-01"], "Invalid value for --from: --from and --to go together"),
        (["run", "--to", "2026-02-01"], "Invalid value for --from: --from and --to go together"),
        (["run", "--date", "2026-02-01", "--from", "2026-02-01"], "give either --date or --from and --to"),
        (["run", "--from", "2026-02-02", "--to", "2026-02-01"], "for --to: 2026-02-01 lies before 2026-02-02"),
        (["run", "--from", "1990-01-01", "--to", "2020-01-01"], "for --from: more than 3660 days; split the range"),
        (
            ["run", "--pipeline", "silver,gold"],
            "unknown pipeline 'gold': choose among guardrail, silver, ",
        ),
        (
            ["run", "--pipeline", ","],
            "Invalid value for --pipeline: unknown pipeline ',': choose among guard",
        ),
        (
            ["run", "--target", "oracle"],
            "Invalid value for --target: unknown target 'oracle': profiles/profil",
        ),
        (
            ["run", "--as-of", "noon"],
            "Invalid value for --as-of: 'noon' is not an instant: write it as 2026-02-",
        ),
        (["run", "--wait", "-1"], "Invalid value for '--wait': Input should be greater than or equal to 0"),
        (["load"], "Missing argument 'folder' (see plura lake load --help)"),
        (
            ["load", ".", "--extracted-at", "dawn"],
            "for --extracted-at: 'dawn' is not an instant: write it as 2026-02-01T",
        ),
        (
            ["report", "--date", "20.02.2026"],
            "Invalid value for --date: '20.02.2026' is not a date: write it as YYYY-MM-",
        ),
        (
            ["retention", "--bad-records-days", "0"],
            "for '--bad-records-days': Input should be greater than ",
        ),
        (["withdraw", "abc", "--reason", " "], "Invalid value for --reason: give a reason in a few words; it is"),
        (["withdraw", "abc"], "Missing option '--reason' (see plura lake withdraw --help)"),
        (["wash"], "No such command 'wash' (see plura lake --help)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_argument_is_named_with_what_to_write(plura: Plura, arguments: list[str], problem: str) -> None:
    assert problem in refused(plura, "lake", *arguments, code=2)
    assert list(plura.work.iterdir()) == []


def test_an_unknown_target_of_the_environment_is_named(plura: Plura) -> None:
    plura.settings["PLURA_TARGET"] = "oracle"
    assert "unknown target 'oracle'" in refused(plura, "lake", "batches", code=2)


def test_a_day_that_is_still_open_is_refused_by_name(plura: Plura) -> None:
    line = refused(plura, "lake", "run", "--date", str(NEXT_YEAR))
    assert line == (
        f"the KST day {NEXT_YEAR} is still open: it can be computed from {NEXT_YEAR + timedelta(days=1)} 00:00 KST on"
    )


def test_a_missing_project_is_named(plura: Plura) -> None:
    plura.settings["PLURA_PROJECT_DIR"] = str(plura.work)
    line = refused(plura, "lake", "batches")
    assert line == f"there is no dbt project in {plura.work}: name its folder with PLURA_PROJECT_DIR"


@pytest.mark.parametrize(
    "command",
    [
        ["run"],
        ["report"],
        ["batches"],
        ["withdraw", "abc", "--reason", "x"],
        ["reinstate", "abc", "--reason", "x"],
        ["retention"],
    ],
    ids=lambda command: str(command[0]),
)
def test_a_missing_warehouse_is_named_and_not_made(plura: Plura, command: list[str]) -> None:
    plura.settings["PLURA_DUCKDB_PATH"] = str(plura.work / "deep" / "no.duckdb")
    line = refused(plura, "lake", *command)
    assert line == f"there is no warehouse at {plura.warehouse}: load data first (plura lake load DIR)"
    assert list(plura.work.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (["report"], "the pipelines have never run on this warehouse: plura lake run"),
        (["retention", "--apply"], "there is nothing to remove: the pipelines have never run on this warehouse"),
        (["withdraw", "zzz", "--reason", "x"], "no batch with the id 'zzz': plura lake batches lists them"),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("filled")
def test_a_missing_precondition_of_a_command_is_reported(plura: Plura, command: list[str], problem: str) -> None:
    assert problem in refused(plura, "lake", *command)


WRITING = (["load", "in", "--no-validate"], ["run"], ["retention", "--apply"], ["withdraw", "a", "--reason", "x"])
READING = (["report"], ["batches"], ["retention"])


@pytest.mark.parametrize("command", [*WRITING, *READING], ids=" ".join)
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_warehouse_that_is_no_duckdb_file_is_named_and_left_alone(
    plura: Plura, command: list[str], kind: str
) -> None:
    path = plura.work / "ledger.csv"
    if kind == "folder":
        path.mkdir()
    else:
        path.write_text("tx_id,amount\n" * 500, encoding="utf-8")
    write(plura.work / "in" / "orders.jsonl", [GOOD["orders"]])
    plura.settings["PLURA_DUCKDB_PATH"] = str(path)
    arguments = [str(plura.work / "in") if word == "in" else word for word in command]
    line = refused(plura, "lake", *arguments)
    assert line == f"{path} is not a DuckDB file: name another one with PLURA_DUCKDB_PATH"
    if kind == "file":
        assert path.read_text(encoding="utf-8") == "tx_id,amount\n" * 500


@pytest.mark.parametrize("place", ["/sys/kernel/plura.duckdb", "/proc/plura/plura.duckdb", "{work}/file/plura.duckdb"])
def test_a_place_that_cannot_be_written_is_named(plura: Plura, place: str) -> None:
    (plura.work / "file").touch()
    write(plura.work / "in" / "orders.jsonl", [GOOD["orders"]])
    plura.settings["PLURA_DUCKDB_PATH"] = place.format(work=plura.work)
    line = refused(plura, "lake", "load", plura.work / "in", "--no-validate")
    assert str(plura.warehouse) in line
    assert "PLURA_DUCKDB_PATH" in line
    assert re.match(r"no permission to write|the folder of .* cannot be made|.* read-only file system", line)


def test_data_docs_that_cannot_be_written_are_named(plura: Plura) -> None:
    write(plura.work / "in" / "orders.jsonl", [GOOD["orders"]])
    plura.settings["PLURA_DATA_DOCS_DIR"] = "/sys/kernel/docs"
    line = refused(plura, "lake", "load", plura.work / "in")
    assert line.startswith("Data Docs cannot be written to /sys/kernel/docs (")
    assert line.endswith("name another folder with PLURA_DATA_DOCS_DIR, or load with --no-validate")


@pytest.mark.parametrize("kilobytes", [300, 1_500])
def test_a_full_disk_stops_the_load_of_a_file_and_loses_nothing(plura: Plura, filled: Bronze, kilobytes: int) -> None:
    """The limit of a file's size stands for the disk; the file alone needs more than both limits."""
    before = filled.everything()
    notes = [GOOD["payment_orders"] | {"order_id": f"{n}", "note": f"{n * 7_919_317:x}" * 40} for n in range(9_000)]
    path = filled.write("payment_orders.jsonl", *notes)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, kilobytes * 1024))

    outcome = plura.process("lake", "load", filled.folder, "--no-validate", before=limit)
    assert outcome.code == 1
    assert outcome.error == (
        f"{path} was not loaded: no space left to write {plura.warehouse}: free disk space and run the command again,"
        " it continues from what was finished"
    )
    assert filled.everything() == before
    assert set(filled.outcomes().values()) == {"loaded", "unchanged"}
    assert filled.sql("select count(*) from bronze.payment_orders_raw") == [(9_000,)]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (duckdb.IOException("Could not write file: No space left on device"), "no space left to write w.duckdb"),
        (OSError(28, "No space left on device"), "no space left to write w.duckdb"),
        (PermissionError(13, "Permission denied"), "no permission to write w.duckdb: change its owner"),
        (OSError(30, "Read-only file system"), "w.duckdb lies on a read-only file system: name another file"),
        (duckdb.IOException("Conflicting lock is held in python (PID 42)"), "in use by another program (process 42)"),
        (duckdb.BinderException("column\n  x\n is unknown"), "w.duckdb: column x is unknown"),
    ],
)
def test_errors_of_the_engine_and_the_system_are_reported_in_one_plain_line(error: Exception, said: str) -> None:
    assert said in explain(error, Path("w.duckdb"))
    with pytest.raises(LakeError, match=re.escape(said)), plain_errors(Path("w.duckdb")):
        raise error
