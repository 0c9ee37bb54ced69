"""SQL outside the models: files of the transaction service, and the queries of the lake that all its engines read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlfluff.core import FluffConfig, Linter

from plura.kit.queries import read_queries
from python_jobs import report, retention
from python_jobs.publish import outbox_duckdb, outbox_spark, outbox_tables
from tests.dbt_runs import PROJECT

FOLDER = PROJECT / "services" / "plura" / "tx" / "db"
DIALECTS = ("duckdb", "sparksql", "databricks")


def statements(file: Path) -> Iterator[tuple[str, str]]:
    """The named statements of a file with their fragments, or all of it; no named statement has a semicolon."""
    text = file.read_text(encoding="utf-8")
    yield from read_queries("plura.tx.db", file.name).items() if "-- name: " in text else [("", text)]


@pytest.mark.parametrize("file", sorted(FOLDER.rglob("*.sql")), ids=lambda file: file.name)
def test_the_sql_of_postgres_is_linted(file: Path) -> None:
    linter = Linter(config=FluffConfig.from_string((PROJECT / "services" / ".sqlfluff").read_text(encoding="utf-8")))
    problems = [
        f"{name} line {problem.line_no}: {problem.rule_code()} {problem.desc()}"
        for name, text in statements(file)
        for problem in linter.lint_string(text.strip() + "\n").get_violations()
    ]
    assert problems == []


def shared_queries() -> Iterator[tuple[str, str]]:
    """Queries that go to every engine as they are, by name."""
    yield from report._QUERIES.items()
    for name in ("HEADS", "COUNTS", "REFUSED"):
        yield name, getattr(outbox_tables, name)
    for name in ("OLD_BAD_RECORDS", "OLD_DQ_STATUS"):
        table = "silver.bad_records" if name == "OLD_BAD_RECORDS" else "silver.dq_status"
        yield name, f"select count(*) as past from {table} where {getattr(retention, name)}"


def problems_of(text: str, dialect: str) -> list[str]:
    """What makes a statement no SQL of a dialect."""
    linter = Linter(config=FluffConfig(overrides={"dialect": dialect, "templater": "raw", "rules": "CP01"}))
    linted = linter.lint_string(re.sub(r"\$\w+", "1", text).strip() + "\n")
    return [problem.desc() for problem in linted.get_violations() if problem.rule_code() == "PRS"]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("name", "text"), list(shared_queries()), ids=lambda value: value if "\n" not in value else "")
def test_a_query_of_all_engines_is_sql_of_each(name: str, text: str, dialect: str) -> None:
    assert problems_of(text, dialect) == [], name


def test_what_becomes_of_events_is_recorded_in_the_sql_of_the_engine() -> None:
    for dialect, given in (("duckdb", outbox_duckdb._GIVEN), ("sparksql", outbox_spark._GIVEN)):
        assert problems_of(outbox_tables.RECORD.format(given=given), dialect) == []


def test_a_word_of_another_dialect_is_found() -> None:
    assert problems_of("select * from a where b is not distinct from", "sparksql")
