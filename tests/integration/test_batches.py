"""The registry of batches: withdrawing, reinstating, and loads that are killed."""

from __future__ import annotations

import gzip
import random
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from python_jobs.load import list_batches, set_batch_status
from python_jobs.warehouse import LakeError, open_duckdb
from tests.dbt_runs import PROJECT
from tests.loads import GOOD, NOW, Bronze, content

KILLS = 10
FILES = 24
LINES = 800


@pytest.fixture
def raw(tmp_path: Path) -> Bronze:
    """A warehouse into which three files of orders were loaded."""
    bronze = Bronze(work=tmp_path)
    for number in range(3):
        bronze.write(f"orders/{number}.jsonl", GOOD["orders"] | {"order_id": number})
    bronze.load()
    return bronze


def set_status(raw: Bronze, batch_id: str, status: str, reason: str) -> None:
    with open_duckdb(raw.warehouse) as connection:
        set_batch_status(connection, batch_id, status, reason=reason, now=NOW + timedelta(hours=1))


def statuses(raw: Bronze) -> list[tuple[str, str | None]]:
    with open_duckdb(raw.warehouse, read_only=True) as connection:
        return [(batch.status, batch.reason) for batch in list_batches(connection)]


def ids(raw: Bronze) -> list[str]:
    with open_duckdb(raw.warehouse, read_only=True) as connection:
        return [batch.batch_id for batch in list_batches(connection)]


def test_a_batch_is_withdrawn_and_reinstated_for_a_reason(raw: Bronze) -> None:
    first, second, _ = ids(raw)
    set_status(raw, first, "withdrawn", "wrong day")
    set_status(raw, second, "withdrawn", "wrong shop")
    set_status(raw, first, "loaded", "right day after all")
    assert statuses(raw) == [("loaded", "right day after all"), ("withdrawn", "wrong shop"), ("loaded", None)]
    assert raw.sql("select status_seq from bronze.load_registry order by batch_seq") == [(3,), (2,), (0,)]
    changed = (NOW + timedelta(hours=1)).replace(tzinfo=None)
    assert raw.sql("select loaded_at, status_changed_at from bronze.load_registry order by batch_seq limit 1") == [
        (NOW.replace(tzinfo=None), changed)
    ]
    assert raw.sql("select count(*) from bronze.orders_raw") == [(3,)]


def test_the_beginning_of_an_id_names_its_batch(raw: Bronze) -> None:
    second = ids(raw)[1]
    unique = next(
        second[:end] for end in range(1, 17) if sum(batch_id.startswith(second[:end]) for batch_id in ids(raw)) == 1
    )
    set_status(raw, unique, "withdrawn", "wrong shop")
    assert [status for status, _ in statuses(raw)] == ["loaded", "withdrawn", "loaded"]


def test_an_id_of_no_or_several_batches_is_refused(raw: Bronze) -> None:
    raw.sql("update bronze.load_registry set batch_id = 'a' || batch_seq")
    for batch_id, what in (("a", "3 batches with the id 'a'"), ("xyz", "no batch with the id 'xyz'")):
        with pytest.raises(LakeError, match=f"{what}: plura lake batches lists them"):
            set_status(raw, batch_id, "withdrawn", "wrong day")


def test_an_empty_id_names_no_batch_even_if_there_is_only_one(tmp_path: Path) -> None:
    bronze = Bronze(work=tmp_path)
    bronze.write("orders.jsonl", GOOD["orders"])
    bronze.load()
    with pytest.raises(LakeError, match="no batch with the id ''"):
        set_status(bronze, "", "withdrawn", "wrong day")


def test_a_status_that_a_batch_has_already_is_refused(raw: Bronze) -> None:
    first = ids(raw)[0]
    with pytest.raises(LakeError, match=rf"batch {first} \(orders/0.jsonl\) is loaded already"):
        set_status(raw, first, "loaded", "again")
    assert statuses(raw)[0] == ("loaded", None)


def test_loading_a_withdrawn_file_again_reinstates_it_in_its_old_place(raw: Bronze) -> None:
    before = raw.everything()
    set_status(raw, ids(raw)[0], "withdrawn", "wrong day")
    path = raw.folder / "orders/0.jsonl"
    path.with_name("0.jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    outcomes = raw.outcomes(now=NOW + timedelta(days=1))
    assert outcomes == {
        "orders/0.jsonl.gz": "reinstated",
        "orders/1.jsonl": "unchanged",
        "orders/2.jsonl": "unchanged",
    }
    assert statuses(raw)[0] == ("loaded", "loaded again")
    assert raw.everything()["orders_raw"] == before["orders_raw"]
    assert raw.sql("select batch_seq, status_seq from bronze.load_registry order by 1") == [(1, 2), (2, 0), (3, 0)]


def files_to_load(folder: Path) -> None:
    """Files of several tables, plain and packed, some with malformed lines."""
    for number in range(FILES):
        source = list(GOOD)[number % len(GOOD)]
        lines = [GOOD[source] | {"n": f"{number}-{line}"} if line % 300 else f"broken {line}" for line in range(LINES)]
        path = folder / source / f"{number:02}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(lines) if number % 3 else gzip.compress(content(lines)))


def start_load(raw: Bronze) -> subprocess.Popen[str]:
    """A load in another process, which tells each block of lines it has read."""
    code = (
        "import sys\n"
        "from datetime import UTC, datetime\n"
        "from pathlib import Path\n"
        "from python_jobs.load import folder, lines\n"
        "lines._BLOCK = 25_000\n"
        "project, path, incoming = map(Path, sys.argv[1:])\n"
        "folder.load_folder(project_dir=project, warehouse=path, folder=incoming, now=datetime.now(UTC),\n"
        "    progress=lambda done, total, piece: print(done, piece, flush=True))\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(PROJECT), str(raw.warehouse), str(raw.folder)],
        stdout=subprocess.PIPE,
        text=True,
    )


def assert_files_are_whole(raw: Bronze) -> int:
    """Each file is in Bronze wholly or not at all; returns how many are."""
    rows = " union all ".join(f"select batch_id, '{name}_raw' as table_name from bronze.{name}_raw" for name in GOOD)
    found = raw.sql(
        "with lines as ("
        f" select batch_id, table_name, count(*) as good, 0 as broken from ({rows}) group by all union all"
        " select batch_id, table_name, 0, count(*) from bronze.malformed_lines group by all)"
        " select batch_id, any_value(row_count), any_value(malformed_count), sum(good), sum(broken)"
        " from lines full join bronze.load_registry using (batch_id, table_name) group by batch_id"
    )
    assert {counts[1:] for counts in found} <= {(LINES - 3, 3, LINES - 3, 3)}
    (count,) = raw.sql("select count(*) from bronze.load_registry")[0]
    return int(count)


def test_a_killed_load_leaves_each_file_whole_or_out_and_loading_again_completes_it(tmp_path: Path) -> None:
    """SIGKILL after a random number of blocks and a moment more; the load goes on where it stopped."""
    chance = random.Random(20260301)
    raw, clean = Bronze(work=tmp_path / "killed"), Bronze(work=tmp_path / "clean")
    for bronze in (raw, clean):
        files_to_load(bronze.folder)
    loaded = []
    for _ in range(KILLS):
        process = start_load(raw)
        assert process.stdout is not None
        blocks = chance.randint(1, 18)
        for line in process.stdout:
            if "reading" not in line:
                blocks -= 1
            if not blocks:
                break
        time.sleep(chance.uniform(0, 0.04))
        process.kill()
        assert process.wait() != 0
        process.stdout.close()
        loaded.append(assert_files_are_whole(raw))
    assert loaded == sorted(loaded)
    assert loaded[-1] < FILES, "the load was done before the last kill: kill it earlier"
    assert {"loaded", "unchanged"} == set(raw.outcomes().values())
    assert assert_files_are_whole(raw) == FILES
    assert set(clean.outcomes().values()) == {"loaded"}
    assert raw.everything() == clean.everything()
