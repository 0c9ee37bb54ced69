"""Any file of rules is read to its last field, as an oracle in plain Python reads it, or stops the run in one line."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from python_jobs.rules import read_rule_file
from python_jobs.rules.catalog import COLUMNS
from python_jobs.rules.model import read_rule_table, rules_read
from python_jobs.rules.patterns import pattern_problem
from tests.dbt_runs import invoke_dbt
from tests.oracle.rule_file import Expected, NotReadError, read_file
from tests.property.rule_mutations import rule_files
from tests.rule_files import DEFAULT

WANTED = os.environ.get("PLURA_EXAMPLES")


def tried(examples: int) -> settings:
    """How many examples are tried, and which: always the same, or as many others as PLURA_EXAMPLES says."""
    return settings(
        max_examples=int(WANTED) if WANTED else examples,
        derandomize=not WANTED,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


STEPS = ("int_rule_versions", "dim_rule_scd2", "int_rule_days")
LIMITS = """
    select rule.rule_id, {{ limit('rule', 'warn') }} as warn, {{ limit('rule', 'crit') }} as crit,
        {{ limit('rule', 'fail') }} as fail, rule.valid_from_day, rule.valid_to_day
    from {{ ref('int_rule_days') }} as rule
"""


@pytest.fixture(scope="module")
def statements(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Queries of the models between the check and the readers of rules, and of the limits that a reader compares."""
    work = tmp_path_factory.mktemp("compiled")
    compiled = invoke_dbt(["compile", "--select", *STEPS], work=work)
    assert compiled.success, compiled.exception
    inline = invoke_dbt(["compile", "--inline", LIMITS], work=work)
    assert inline.success, inline.exception
    found = {result.node.name: result.node.compiled_code for result in compiled.result.results}
    return {name: found[name] for name in STEPS} | {"limits": inline.result.results[0].node.compiled_code}


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse in memory, under the name that the compiled queries know."""
    with duckdb.connect(config={"threads": 1}) as opened:
        opened.execute("set TimeZone = 'UTC'; attach ':memory:' as warehouse; create schema warehouse.gold")
        yield opened


@pytest.fixture(scope="module")
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "rules.csv"


def loaded(path: Path) -> pa.Table | str:
    """The table of the seed as dbt loads it for every engine, or why it does not load the file."""
    from dbt_common.clients.agate_helper import from_csv

    try:
        table = from_csv(str(path), text_columns=list(COLUMNS))
    except (ValueError, StopIteration, RuntimeError) as error:
        return str(error)
    cells = {name: [None if cell is None else str(cell) for cell in column] for name, column in table.columns.items()}
    return pa.table({name: pa.array(column, pa.string()) for name, column in cells.items()})


def publish(connection: duckdb.DuckDBPyConnection, statements: dict[str, str], rules: pa.Table) -> None:
    """What the models make of a seed that can be read."""
    frame = rules_read(connection, rules=connection.from_arrow(rules))
    connection.register("frame", frame)
    connection.execute("create or replace table warehouse.gold.int_rules_read as select * from frame")
    for name in STEPS:
        connection.execute(f"create or replace table warehouse.gold.{name} as {statements[name]}")
        if name == "int_rule_versions":
            connection.execute(
                "create or replace table warehouse.gold.rule_edits as"
                " select *, timestamp '9999-12-31' as dbt_valid_to from warehouse.gold.int_rule_versions"
            )


def published(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "select rule_id, domain, metric, scope, threshold, severity_map, allowed_values, comment, effective_start_ts,"
        " effective_end_ts, is_current from warehouse.gold.dim_rule_scd2 order by rule_id"
    ).fetchall()


def expected_dimension(versions: list[Expected]) -> list[tuple[Any, ...]]:
    rows = [
        (
            *(
                version.rule_id,
                version.domain,
                version.metric,
                version.scope,
                version.threshold,
                version.severity_map,
                version.allowed_values,
            ),
            *(version.comment, version.start, version.end, version.end == datetime(9999, 12, 31)),
        )
        for version in versions
    ]
    return sorted(rows, key=lambda row: row[0].encode())


def expected_limits(versions: list[Expected]) -> list[tuple[Any, ...]]:
    return sorted(
        ((version.rule_id, *version.limits, *version.days) for version in versions if version.days),
        key=lambda row: row[0].encode(),
    )


def asked(content: bytes) -> list[Expected] | str:
    """What the oracle reads, or why it refuses the file."""
    try:
        return read_file(content)
    except NotReadError as error:
        return str(error)


@tried(400)
@given(content=rule_files())
@example(content=DEFAULT.encode())
def test_any_file_is_read_to_its_last_field_or_stops_the_run_with_one_line(
    connection: duckdb.DuckDBPyConnection, statements: dict[str, str], path: Path, content: bytes
) -> None:
    path.write_bytes(content)
    problem = read_rule_file(path).problem
    wanted = asked(content)
    if problem is not None:
        assert problem.isprintable()
        assert "allowed: " in problem
        # the oracle takes every pattern of Python, the product those that all engines know
        assert isinstance(wanted, str) or "regular expression" in problem, problem
        return
    assert not isinstance(wanted, str), wanted
    table = loaded(path)
    assert not isinstance(table, str), table
    publish(connection, statements, table)
    assert published(connection) == expected_dimension(wanted)
    found = connection.execute(f"select * from ({statements['limits']}) order by rule_id").fetchall()
    assert found == expected_limits(wanted)


@tried(300)
@given(content=rule_files())
@example(content=DEFAULT.encode())
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
def test_the_loaded_table_is_read_as_the_file(path: Path, content: bytes) -> None:
    """As dbt loads it on Spark and Databricks: nothing is taken for something else than the file says."""
    path.write_bytes(content)
    file, table = read_rule_file(path), loaded(path)
    if isinstance(table, str):
        assert file.problem is not None, table
        return
    reading = read_rule_table(nw.from_native(table, eager_only=True))
    if file.problem is None:
        assert reading == file
    elif reading.problem is None:
        # what a table no longer shows: a row that is too short, a quote that is not doubled
        assert "fields (allowed" in file.problem or "is not CSV" in file.problem
    else:
        assert reading.problem.isprintable()


ATOMS = st.sampled_from(
    [
        "a",
        "b",
        "7",
        "_",
        "-",
        ".",
        "^",
        "$",
        r"\d",
        r"\w",
        r"\W",
        r"\.",
        r"\-",
        r"\b",
        "[ab]",
        "[^7-9]",
        "[a-z_-]",
        r"[\d.]",
    ]
)
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        inner.map("({})".format),
        inner.map("(?:{})".format),
        st.tuples(inner, inner).map("|".join),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?", "+?"])).map("".join),
    ),
    max_leaves=6,
)


@tried(400)
@given(
    pattern=st.one_of(PATTERNS, st.text("ab7_-.^$\\dwb[]()|*+?{2,3}:=!<P", max_size=8)),
    texts=st.lists(st.text("ab79_-.", max_size=6), max_size=4),
)
@example(pattern="([0-9]+)$", texts=["po_1001", "x"])
def test_duckdb_takes_every_accepted_pattern_as_python_does(
    connection: duckdb.DuckDBPyConnection, pattern: str, texts: list[str]
) -> None:
    if pattern_problem(pattern) is not None:
        return
    for text in texts:
        found = re.search(pattern, text)
        taken = connection.execute(
            "select regexp_matches($1, $2), regexp_full_match($1, $2)", [text, pattern]
        ).fetchone()
        assert taken == (found is not None, re.fullmatch(pattern, text) is not None)
        if found and re.compile(pattern).groups == 1:
            group = connection.execute("select regexp_extract($1, $2, 1)", [text, pattern]).fetchone()
            assert group == (found.group(1) or "",)
