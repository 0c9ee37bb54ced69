"""Values in statements of Spark arrive as they are."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from python_jobs.report import SparkReader

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TEXTS = ["it's", "C:\\new\\\\", "\\'", "${env:PATH}", "${spark.app.name}", "$day", 'a\n\t"b" `c`', "비밀 🦆", "\\u0041"]


def test_values_arrive_as_they_are(spark_session: SparkSession) -> None:
    """Text that looks like an escape, a variable or a parameter of Spark is text."""
    reader = SparkReader(spark_session)
    names = {f"text_{number}": text for number, text in enumerate(TEXTS)}
    columns = ", ".join(f"${name} as {name}" for name in names)
    instant = datetime(2026, 2, 1, 1, 2, 3, 4, tzinfo=UTC)
    (row,) = reader.rows(
        f"select {columns}, $day as day, unix_micros($at) as at", **names, day=date(2026, 2, 1), at=instant
    )
    assert [row[name] for name in names] == TEXTS
    assert (row["day"], row["at"]) == (date(2026, 2, 1), 1769907723000004)


def test_the_catalog_lists_the_existing_tables(spark_session: SparkSession) -> None:
    spark_session.sql("create schema if not exists gold")
    spark_session.sql("create or replace table gold.there (a int) using delta")
    reader = SparkReader(spark_session)
    assert reader.has_table("gold", "there")
    assert not reader.has_table("gold", "elsewhere")
    assert not reader.has_table("no_schema", "there")
    spark_session.sql("drop table gold.there")
