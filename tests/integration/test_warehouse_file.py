"""The DuckDB file: names that no database can have are refused, and DuckDB 1.4 can open what is written."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
import yaml
from dbt.adapters.duckdb.credentials import DuckDBCredentials

from python_jobs.warehouse import STORAGE_VERSION, open_duckdb, refuse_name
from tests.commands import Plura
from tests.dbt_runs import PROJECT, invoke_dbt
from tests.loads import GOOD, write

STORAGE_OF_1_4 = 67
"""Number of the storage format in the header of a file that DuckDB 1.4 opens."""

REFUSED = [
    "main.duckdb",
    "MAIN.duckdb",
    "temp.duckdb",
    "system.duckdb",
    "system",
    "bronze.duckdb",
    "silver.duckdb",
    "gold.duckdb",
    "Gold.db",
    "gold.2026.duckdb",
    ".gold.duckdb",
    "information_schema.duckdb",
    "a'b.duckdb",
    'a"b.duckdb',
    "a;b.duckdb",
    "a#b.duckdb",
    "a\\b.duckdb",
    "a\tb.duckdb",
    "a\nb.duckdb",
    "😀.duckdb",
    " lake.duckdb",
    "lake .duckdb",
    " .duckdb",
    "a#b/plura.duckdb",
    "a?b/plura.duckdb",
]
WORKING = [
    "plura.duckdb",
    "plura",
    "plura.db",
    "memory.duckdb",
    "default.duckdb",
    "select.duckdb",
    "my.lake.duckdb",
    "my-lake.duckdb",
    "my lake.duckdb",
    "2026.duckdb",
    "가나다.duckdb",
    "é.duckdb",
    "e\u0301.duckdb",
    ".plura.duckdb",
    "a%20b.duckdb",
    "a`b$c{{d}}.duckdb",
    "golden.duckdb",
    "gold_2026.duckdb",
    "gold/plura.duckdb",
    "o'brien's lake; 2026/가나/plura.duckdb",
    "😀/plura.duckdb",
]


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_no_database_can_have_is_refused_by_each_command_and_nothing_is_made(
    tmp_path: Path, name: str
) -> None:
    plura = Plura(work=tmp_path, settings={"PLURA_DUCKDB_PATH": str(tmp_path / "place" / name)})
    write(tmp_path / "in" / "orders.jsonl", [GOOD["orders"]])
    before = sorted(tmp_path.rglob("*"))
    outcome = plura("lake", "load", tmp_path / "in", "--no-validate")
    assert outcome.code == 1
    assert " cannot be a warehouse: " in outcome.error
    assert outcome.error.endswith("Name another file with PLURA_DUCKDB_PATH, for example lake.duckdb")
    assert sorted(tmp_path.rglob("*")) == before
    plura.warehouse.parent.mkdir(parents=True, exist_ok=True)
    if "\\" not in name:
        plura.warehouse.touch()
        for command in (["run"], ["report"], ["batches"], ["withdraw", "a", "--reason", "x"], ["retention"]):
            outcome = plura("lake", *command)
            assert (outcome.code, " cannot be a warehouse: " in outcome.error) == (1, True), command


@pytest.mark.parametrize("name", WORKING)
def test_other_names_give_dbt_and_duckdb_the_same_database(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    refuse_name(path)
    with open_duckdb(path, create=True) as connection:
        found = connection.execute("select current_database()").fetchall()
        connection.execute("create schema gold; create table gold.t as select 1 as a; from gold.t")
    assert path.is_file()
    assert found == [(DuckDBCredentials.path_derived_database_name(str(path)),)]


def test_a_name_with_blanks_dots_digits_and_korean_letters_is_loaded_run_and_reported(tmp_path: Path) -> None:
    place = tmp_path / "o'brien; 😀 %41" / "2026 가나다-lake.v2.duckdb"
    plura = Plura(work=tmp_path, settings={"PLURA_DUCKDB_PATH": str(place)})
    write(tmp_path / "in" / "transaction_ledger.jsonl", [GOOD["transaction_ledger"]])
    write(tmp_path / "in" / "user_wallets.jsonl", [GOOD["user_wallets"]])
    for command in (["load", tmp_path / "in", "--no-validate"], ["run", "--date", "2026-02-01"], ["report"]):
        outcome = plura("lake", *command)
        assert (outcome.code, outcome.err) == (0, ""), command
    assert storage_format(place) == STORAGE_OF_1_4


def test_a_demo_in_a_folder_that_dbt_cannot_read_is_refused_before_it_removes_the_last_one(tmp_path: Path) -> None:
    project = tmp_path / "project #1"
    last = write(project / "data" / "demo" / "plura.duckdb", [])
    outcome = Plura(work=tmp_path, settings={"PLURA_PROJECT_DIR": str(project)})("demo")
    assert outcome.code == 1
    assert "dbt reads the path as an address, in which '#' ends the path" in outcome.error
    assert last.is_file()


def storage_format(path: Path) -> int:
    """Number of the storage format in the header of a DuckDB file."""
    header = path.read_bytes()[:16]
    assert header[8:12] == b"DUCK"
    return header[12]


def test_the_file_of_a_load_and_that_of_a_bare_dbt_are_opened_by_duckdb_1_4(tmp_path: Path) -> None:
    with open_duckdb(tmp_path / "load.duckdb", create=True) as connection:
        connection.execute("create table t as select range as a from range(10)")
        tags = connection.execute("select tags from duckdb_databases() where not internal").fetchall()
    assert tags == [({"storage_version": f"{STORAGE_VERSION}+"},)]
    assert storage_format(tmp_path / "load.duckdb") == STORAGE_OF_1_4
    result = invoke_dbt(["seed", "--select", "entry_types"], work=tmp_path, warehouse=tmp_path / "dbt.duckdb")
    assert result.success, result.exception
    assert storage_format(tmp_path / "dbt.duckdb") == STORAGE_OF_1_4


def test_a_file_in_a_newer_format_is_still_opened_and_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "newer.duckdb"
    duckdb.connect(str(path), config={"storage_compatibility_version": "latest"}).close()
    newer = storage_format(path)
    with open_duckdb(path) as connection:
        connection.execute("create table t as select 1 as a")
    assert storage_format(path) == newer != STORAGE_OF_1_4


def test_the_profile_and_our_own_connections_name_the_same_format() -> None:
    profile = yaml.safe_load((PROJECT / "profiles" / "profiles.yml").read_text(encoding="utf-8"))
    options = profile["plura"]["outputs"]["duckdb"]["config_options"]
    assert options == {"storage_compatibility_version": STORAGE_VERSION}
