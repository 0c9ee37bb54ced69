"""What every lake does, whatever its engine; each class of tests gives the lake and a folder of files."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from python_jobs.lakes.lake import Lake
from python_jobs.load import Batch
from python_jobs.pipelines import RunRequest
from python_jobs.warehouse import LakeError
from tests.dbt_runs import PROJECT
from tests.loads import GOOD, NOW, content

DAY = date(2026, 2, 1)
LATER = NOW + timedelta(seconds=1)
LEDGER = GOOD["transaction_ledger"]


def write_lines(folder: Path, *numbers: int, day: date = DAY, name: str = "transaction_ledger.jsonl") -> Path:
    """Write a file of ledger lines with these numbers as their ids."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    lines = [LEDGER | {"tx_id": f"tx_{number}", "created_at": f"{day}T00:00:00Z"} for number in numbers]
    file.write_bytes(content(lines))
    return file


def without_clock(batches: list[Batch]) -> list[tuple[object, ...]]:
    """What a batch is, without the instant of its load."""
    return [
        (
            batch.batch_id,
            batch.batch_seq,
            batch.table_name,
            batch.source_file,
            batch.row_count,
            batch.malformed_count,
            batch.status,
        )
        for batch in batches
    ]


class LakeSuite:
    """The tests; a subclass has the fixture ``lake``."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A folder of two files."""
        folder = tmp_path / "raw"
        write_lines(folder, 1, 2)
        (folder / "products.jsonl").write_bytes(content([GOOD["products"], "no json"]))
        return folder

    def test_batches_from_their_load_to_their_replacement(self, lake: Lake, folder: Path) -> None:
        steps: list[tuple[int, int, str]] = []
        report = lake.load(folder, now=NOW, progress=lambda *step: steps.append(step))
        assert {file.path.name: (file.outcome, file.rows, file.malformed) for file in report.files} == {
            "transaction_ledger.jsonl": ("loaded", 2, 0),
            "products.jsonl": ("loaded", 1, 1),
        }
        assert report.days == {DAY}
        assert steps[-1][0] == steps[-1][1]
        ledger, products = sorted(lake.batches(), key=lambda batch: batch.table_name != "transaction_ledger_raw")
        assert without_clock([ledger, products]) == [
            (ledger.batch_id, 1, "transaction_ledger_raw", "transaction_ledger.jsonl", 2, 0, "loaded"),
            (products.batch_id, 2, "products_raw", "products.jsonl", 1, 1, "loaded"),
        ]

        again = lake.load(folder, now=LATER)
        assert {file.outcome for file in again.files} == {"unchanged"}
        assert (again.days, again.changed) == (set(), [])

        change = lake.set_status([ledger.batch_id[:8]], "withdrawn", reason="wrong file", now=LATER)
        assert [(batch.batch_id, batch.status, batch.reason) for batch in change.batches] == [
            (ledger.batch_id, "withdrawn", "wrong file")
        ]
        assert change.days == {DAY}
        with pytest.raises(LakeError, match="is withdrawn already"):
            lake.set_status([ledger.batch_id], "withdrawn", reason="again", now=LATER)
        with pytest.raises(LakeError, match="no batch with the id 'zz'"):
            lake.set_status([products.batch_id, "zz"], "withdrawn", reason="all or none", now=LATER)
        assert {batch.table_name: batch.status for batch in lake.batches()} == {
            "transaction_ledger_raw": "withdrawn",
            "products_raw": "loaded",
        }

        back = lake.load(folder, now=LATER)
        assert back.changed == [ledger.batch_id]
        assert back.count("reinstated") == 1
        assert back.days == {DAY}

        next_day = DAY + timedelta(days=1)
        corrected = write_lines(folder, 1, 2, 3, day=next_day, name="transaction_ledger.2.jsonl")
        replaced = lake.replace(ledger.batch_id, corrected, reason="corrected", now=LATER)
        assert replaced.is_new
        assert (replaced.old.status, replaced.new.status, replaced.new.row_count) == ("withdrawn", "loaded", 3)
        assert replaced.new.reason == f"replaces {ledger.batch_id}: corrected"
        assert replaced.days == {DAY, next_day}
        same = lake.replace(ledger.batch_id, corrected, reason="corrected", now=LATER)
        assert (same.is_new, same.new.batch_id) == (False, replaced.new.batch_id)
        with pytest.raises(LakeError, match="there is nothing to replace"):
            lake.replace(replaced.new.batch_id, corrected, reason="itself", now=LATER)

        with lake.sole_publisher(), lake.outbox() as outbox:
            try:
                waiting = outbox.counts().waiting
            except LakeError as error:
                assert "run the pipelines first" in str(error)  # noqa: PT017  # the twin has an outbox from the start
            else:
                assert waiting == 0

    def test_a_lake_without_data_has_nothing_to_run(self, lake: Lake) -> None:
        request = RunRequest(project_dir=PROJECT, warehouse=lake.warehouse, target=lake.target, first_day=DAY)
        with pytest.raises(LakeError, match=r"load data first \(plura lake load DIR\)"):
            lake.run(request)

    def test_a_folder_that_is_missing_is_an_error(self, lake: Lake, tmp_path: Path) -> None:
        with pytest.raises(LakeError, match="is not a folder"):
            lake.load(tmp_path / "nowhere", now=NOW)
