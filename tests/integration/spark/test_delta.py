"""What the project relies on in Delta Lake, shown on real tables through the adapter's own cursor."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from dbt.adapters.sparksession.session import Cursor
from dbt_common.exceptions import DbtDatabaseError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TABLE = "delta_facts.counted"
TWO_ROWS_FOR_ONE_KEY = f"""
    merge into {TABLE} as t using (select 'a' as name, id as n from range(2)) as s on t.name = s.name
    when matched then update set n = s.n
"""


@pytest.fixture
def table(spark_session: SparkSession) -> Iterator[str]:
    """A table with two rows, and its history."""
    spark_session.sql("create schema if not exists delta_facts")
    spark_session.sql(f"create table {TABLE} (name string not null, n bigint, money decimal(38, 2)) using delta")
    spark_session.sql(f"insert into {TABLE} values ('a', 0, 1.10), ('b', 0, 2.20)")
    yield TABLE
    spark_session.sql("drop schema delta_facts cascade")


def rows(session: SparkSession) -> list[tuple[object, ...]]:
    return sorted(tuple(row) for row in session.table(TABLE).collect())


def execute(statement: str) -> None:
    Cursor({}).execute(statement)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (TWO_ROWS_FOR_ONE_KEY, "MULTIPLE_SOURCE_ROW_MATCHING"),
        (f"insert into {TABLE} values ('c', 'many', 1)", "CAST_INVALID_INPUT"),
        (f"insert into {TABLE} select 'c', 1, 1, 1", "DELTA_METADATA_MISMATCH"),
        (f"insert into {TABLE} values (null, 1, 1)", "NOT_NULL"),
        (f"update {TABLE} set money = money * 1e37", "OVERFLOW"),
    ],
    ids=["two rows for one key", "wrong type", "column too many", "required column missing", "overflow"],
)
def test_a_statement_that_breaks_a_rule_is_refused_whole(
    spark_session: SparkSession, table: str, statement: str, says: str
) -> None:
    before = rows(spark_session)
    with pytest.raises(DbtDatabaseError, match=says):
        execute(statement)
    assert rows(spark_session) == before
    assert spark_session.sql(f"describe history {table}").count() == len(before)


def test_writers_at_once_lose_nothing(spark_session: SparkSession, table: str) -> None:
    """Delta lets one of two writers of a file commit; the adapter executes the other's statement again."""
    merge = (
        f"merge into {table} as t using (select 'a' as name) as s on t.name = s.name"
        " when matched then update set n = t.n + 1"
    )
    with ThreadPoolExecutor(4) as writers:
        list(writers.map(execute, [merge] * 6))
    assert [row[1] for row in rows(spark_session)] == [6, 0]


def test_a_rerun_can_be_compared_with_the_version_before_it(spark_session: SparkSession, table: str) -> None:
    execute(f"update {table} set n = 1 where name = 'a'")
    before, now = (spark_session.sql(f"select * from {table} version as of {version}") for version in (1, 2))
    assert [tuple(row) for row in now.exceptAll(before).select("name", "n").collect()] == [("a", 1)]
