"""Replacing a batch on Delta Lake, where no transaction spans two tables: one of the two is counted at any moment."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from python_jobs.load.delta import DeltaBronze
from python_jobs.load.delta_folder import load_folder_into_delta, replace_batch_in_delta
from python_jobs.load.replace import ReplaceReport, replace_batch
from python_jobs.warehouse import LakeError
from tests.dbt_runs import PROJECT
from tests.loads import GOOD, NOW, Bronze, Killed, dies, write

LEDGER = GOOD["transaction_ledger"]
WRONG = [LEDGER | {"tx_id": f"tx_{n}"} for n in range(3)]
RIGHT = [line | {"amount": "11.00"} for line in WRONG]


@pytest.fixture
def raw(tmp_path: Path) -> Bronze:
    """A folder of files, and the same on DuckDB."""
    return Bronze(work=tmp_path)


def load(delta: DeltaBronze, raw: Bronze, **options: Any) -> Any:
    return load_folder_into_delta(delta.session, project_dir=PROJECT, folder=raw.folder, **({"now": NOW} | options))


def replace(delta: DeltaBronze, file: Path, batch_id: str, **options: Any) -> ReplaceReport:
    return replace_batch_in_delta(
        delta.session,
        project_dir=PROJECT,
        batch_id=batch_id,
        file=file,
        reason="it's wrong",
        **({"now": NOW} | options),
    )


def counted(delta: DeltaBronze) -> list[tuple[str, int]]:
    """Key and amount of the ledger lines that Silver reads."""
    rows = delta.session.sql(
        "select tx_id, cast(amount as int) from bronze.transaction_ledger_raw"
        " where batch_id in (select batch_id from bronze.load_registry where status = 'loaded') order by 1, 2"
    ).collect()
    return [tuple(row) for row in rows]


def lines(amount: int) -> list[tuple[str, int]]:
    return [(f"tx_{n}", amount) for n in range(3)]


STEPS = ("begin", "append", "finish")


@pytest.mark.parametrize("ending", ["the same command", "a later load"])
def test_a_replacement_that_dies_between_any_two_steps_counts_one_of_the_two(
    delta: DeltaBronze, raw: Bronze, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """And is completed by whoever comes next: who repeats it, or a load that finds all rows there."""
    for number, (step, before) in enumerate((step, before) for step in STEPS for before in (True, False)):
        delta.session.sql("drop schema if exists bronze cascade")
        raw.write("transaction_ledger/day.jsonl", *WRONG)
        load(delta, raw)
        (old,) = delta.batches()
        file = write(raw.work / f"right_{number}.jsonl", RIGHT)
        with monkeypatch.context() as patch:
            patch.setattr(DeltaBronze, step, dies(getattr(DeltaBronze, step), 1, before=before))
            with pytest.raises(Killed):
                replace(delta, file, old.batch_id)
        is_done = (step, before) == ("finish", False)
        assert counted(delta) == lines(11 if is_done else 10), (step, before)
        later = NOW + timedelta(hours=1)
        if ending == "the same command":
            assert replace(delta, file, old.batch_id, now=later).is_new is not is_done
            assert counted(delta) == lines(11)
        else:
            delta.recover(abandoned_after=timedelta())
            is_whole = (STEPS.index(step), not before) >= (STEPS.index("append"), True)
            assert counted(delta) == lines(11 if is_whole else 10), (step, before)
            assert "loading" not in {batch.status for batch in delta.batches()}
        statuses = sorted((batch.status, (batch.reason or "").split(" ")[0]) for batch in delta.batches())
        if counted(delta) == lines(11):
            assert statuses == [("loaded", "replaces"), ("withdrawn", "replaced")]


def test_a_replacement_is_that_of_duckdb(delta: DeltaBronze, raw: Bronze) -> None:
    """Rows, registry, days and what is said; in both the file brings the extraction instant of the batch."""
    at = datetime(2026, 2, 2, tzinfo=UTC)
    raw.write("transaction_ledger/day.jsonl", *WRONG)
    raw.write("payment_orders.jsonl", GOOD["payment_orders"])
    first = [raw.load(extracted_at=at), load(delta, raw, extracted_at=at)]
    assert first[0].days == first[1].days == {date(2026, 2, 1)}
    file = write(raw.work / "right.jsonl", [*RIGHT[:2], "no json"])
    old = next(batch.batch_id for batch in delta.batches() if batch.table_name == "transaction_ledger_raw")
    options: dict[str, Any] = {
        "project_dir": PROJECT,
        "batch_id": old,
        "file": file,
        "reason": "it's wrong",
        "now": NOW,
    }
    reports = [replace_batch(warehouse=raw.warehouse, **options), replace(delta, file, old)]
    assert reports[0].warnings == reports[1].warnings
    assert len(reports[0].warnings) == 2
    assert reports[0].days == reports[1].days
    columns = "batch_id, batch_seq, table_name, source_file, row_count, malformed_count, status, status_seq, reason"
    registry = f"select {columns} from bronze.load_registry order by batch_seq"
    assert raw.sql(registry) == [tuple(row) for row in delta.session.sql(registry).collect()]
    rows = "select tx_id, amount, batch_id, cast(source_extracted_at as date), ingest_seq from bronze"
    rows += ".transaction_ledger_raw"
    assert sorted(raw.sql(rows)) == sorted(tuple(row) for row in delta.session.sql(rows).collect())
    assert replace(delta, file, old).is_new is False
    again = load(delta, raw, extracted_at=at)
    assert {found.path.name: found.outcome for found in again.files} == {
        "day.jsonl": "replaced",
        "payment_orders.jsonl": "unchanged",
    }


def test_a_file_that_was_loaded_already_takes_the_place_as_it_is(delta: DeltaBronze, raw: Bronze) -> None:
    raw.write("transaction_ledger/day.jsonl", *WRONG)
    raw.load()
    load(delta, raw)
    path = raw.write("transaction_ledger/right.jsonl", *RIGHT)
    said = [raw.load().warnings, load(delta, raw).warnings]
    assert said[0] == said[1]
    assert "3 of 3 keys are already there from batch" in said[0][0]
    old, new = delta.batches()
    replace(delta, path, old.batch_id)
    assert counted(delta) == lines(11)
    # and back, to a batch that is withdrawn
    replace(delta, raw.folder / "transaction_ledger/day.jsonl", new.batch_id)
    assert counted(delta) == lines(10)
    assert [(batch.status, batch.status_seq) for batch in delta.batches()] == [("loaded", 3), ("withdrawn", 2)]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("orders.jsonl", RIGHT, "is named as a file of orders"),
        ("right.jsonl", [GOOD["payment_orders"]], "no line has tx_id"),
        ("right.jsonl", [], "holds no line: nothing was replaced"),
        ("right.jsonl", ["<html></html>"], "it looks like an HTML page"),
        ("right.jsonl", WRONG, "there is nothing to replace"),
    ],
)
def test_a_file_that_cannot_replace_the_batch_changes_nothing(
    delta: DeltaBronze, raw: Bronze, name: str, content: list[Any], problem: str
) -> None:
    raw.write("transaction_ledger/day.jsonl", *WRONG)
    load(delta, raw)
    (old,) = delta.batches()
    with pytest.raises(LakeError, match=problem):
        replace(delta, write(raw.work / name, content), old.batch_id)
    assert delta.batches() == [old]
    assert counted(delta) == lines(10)
