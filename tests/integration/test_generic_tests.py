"""Every generic test fails on a bad table with exactly the rows it promises, and passes on a good one.

dbt runs once, over a throwaway project whose sources are the tables of generic_test_cases; failures are stored.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.dbt_runs import PROJECT, invoke_dbt
from tests.integration.generic_test_cases import BAD_COLUMNS, CASES, REFUSED, Case, Row


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Status of every test by name, and the warehouse with the stored failures."""

    status: dict[str, str]
    warehouse: Path

    def failures(self, name: str) -> list[str]:
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return sorted(map(repr, connection.execute(f'from gold_dbt_test__audit."{name}"').fetchall()))


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[Row]) -> None:
    for row in rows:
        connection.execute(f"insert into {table} values ({', '.join('?' * len(row))})", list(row))


def write_project(folder: Path, cases: dict[str, Case]) -> None:
    """Write a dbt project without models: our generic tests over the good and the bad table of every case."""
    shutil.copytree(PROJECT / "tests" / "dbt" / "generic", folder / "tests" / "generic")
    (folder / "macros").mkdir()
    for name in ("run.sql", "rows_of_run.sql"):
        shutil.copy(PROJECT / "macros" / "pipeline" / name, folder / "macros" / name)
    project: dict[str, Any] = {
        "name": "generic_tests",
        "version": "1.0.0",
        "profile": "plura",
        "model-paths": ["models"],
    }
    project |= {"flags": {"send_anonymous_usage_stats": False}}
    packages = {"packages": [{"local": str(PROJECT / "dbt_packages_local" / "dbt_expectations")}]}
    tables = []
    for name, case in cases.items():
        for kind in ("good", "bad"):
            check: dict[str, Any] = {case.test: {"name": f"{name}_{kind}", "arguments": case.arguments}}
            table: dict[str, Any] = {"name": f"{name}_{kind}"}
            table |= (
                {"columns": [{"name": case.column, "data_tests": [check]}]} if case.column else {"data_tests": [check]}
            )
            tables.append(table)
    sources = {"sources": [{"name": "cases", "schema": "cases", "tables": tables}]}
    (folder / "models").mkdir()
    for path, content in {
        "dbt_project.yml": project,
        "packages.yml": packages,
        "models/sources.yml": sources,
    }.items():
        (folder / path).write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML


def write_tables(warehouse: Path, cases: dict[str, Case]) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema cases")
        for name, case in cases.items():
            for kind, rows in {"good": case.good, "bad": case.bad}.items():
                columns = BAD_COLUMNS.get(name, case.columns) if kind == "bad" else case.columns
                connection.execute(f"create table cases.{name}_{kind} ({columns})")
                _insert(connection, f"cases.{name}_{kind}", rows)


def run_tests(folder: Path, arguments: list[str]) -> dict[str, str]:
    result = invoke_dbt(arguments, work=folder / "work", project=folder, warehouse=folder / "warehouse.duckdb")
    assert result.result is not None, result.exception
    return {node.node.name: str(node.status) for node in result.result}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("generic_tests")
    write_project(folder, CASES)
    write_tables(folder / "warehouse.duckdb", CASES)
    return Outcome(status=run_tests(folder, ["test", "--store-failures"]), warehouse=folder / "warehouse.duckdb")


@pytest.mark.parametrize("name", CASES)
def test_a_good_table_passes(name: str, outcome: Outcome) -> None:
    assert outcome.status[f"{name}_good"] == "pass"


@pytest.mark.parametrize("name", CASES)
def test_a_bad_table_fails_with_exactly_the_promised_rows(name: str, outcome: Outcome) -> None:
    case = CASES[name]
    assert outcome.status[f"{name}_bad"] == "fail"
    assert outcome.failures(f"{name}_bad") == sorted(map(repr, case.found))


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_arguments_do_not_compile(name: str, tmp_path: Path) -> None:
    case, message = REFUSED[name]
    write_project(tmp_path, {name: case})
    result = invoke_dbt(["parse"], work=tmp_path / "work", project=tmp_path)
    assert message in str(result.exception)


def test_every_generic_test_has_a_case() -> None:
    folders = [PROJECT / "tests" / "dbt" / "generic", PROJECT / "dbt_packages_local" / "dbt_expectations" / "macros"]
    texts = [path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.sql")]
    written = {
        line.split("(")[0].split()[-1] for text in texts for line in text.splitlines() if line.startswith("{% test ")
    }
    assert written == {case.test.removeprefix("dbt_expectations.") for case in CASES.values()}


def test_a_build_looks_at_its_own_rows_and_a_test_run_at_all(tmp_path: Path) -> None:
    case = Case(
        test="no_duplicate_key",
        arguments={"columns": ["id"], "row_condition": "{{ rows_of_run() }}"},
        columns="id int, run_id varchar",
        good=[(1, "now"), (2, "now")],
        bad=[(1, "before"), (1, "before"), (1, "now")],
        found=[(1, 3)],
    )
    write_project(tmp_path, {"of_run": case})
    write_tables(tmp_path / "warehouse.duckdb", {"of_run": case})
    run = ["--vars", "{run_id: now}"]
    assert run_tests(tmp_path, ["build", *run]) == {"of_run_good": "pass", "of_run_bad": "pass"}
    assert run_tests(tmp_path, ["test", *run]) == {"of_run_good": "pass", "of_run_bad": "fail"}
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("insert into cases.of_run_bad values (1, 'now')")
    assert run_tests(tmp_path, ["build", *run])["of_run_bad"] == "fail"
