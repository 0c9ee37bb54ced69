"""What the report reads from the tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import duckdb
import pytest

from python_jobs.report import _QUERIES, DuckDBReader, run_summary

D1 = date(2026, 2, 1)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables that a run writes into, without a row."""
    with duckdb.connect() as opened:
        opened.execute("create schema silver; create schema gold")
        opened.execute("create table gold.pipeline_day (pipeline_name varchar, date_kst date, run_id varchar)")
        opened.execute("create table gold.pipeline_state (pipeline_name varchar, status varchar, last_run_id varchar)")
        opened.execute(
            "create table gold.exception_ledger (exception_type varchar, date_kst date, run_id varchar,"
            " generated_at timestamp, updated_at timestamp, resolved_at timestamp)"
        )
        yield opened


def test_a_reason_is_shown_with_its_first_line_in_any_order_of_rows(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.execute(
        """
        create table silver.bad_records_open as
        select 'silver.products' as source_table, 'bad' as reason, *
        from (values ('b', 1, date '2026-02-01'), ('a', 9, date '2026-02-01'), ('a', 4, date '2026-02-01'),
            ('a', 7, date '2026-02-01'), ('a', 2, date '2026-02-02'))
            as bad (source_file, line_number, date_kst)
        """
    )
    (found,) = DuckDBReader(connection).rows(_QUERIES["quarantine"], day=D1)
    assert (found["first_file"], found["first_line"], found["records"]) == ("a", 4, 4)


NOTHING = "nothing was due: no day computed, no exception opened"


@pytest.mark.parametrize(
    ("failed", "days", "said"),
    [
        ((), (), [NOTHING]),
        (("pipeline_silver",), (), ["failed: silver (whether days are due there is not known)"]),
        (
            ("pipeline_c", "pipeline_b", "pipeline_silver"),
            ("pipeline_a",),
            [
                "guardrail: 1 day computed, 2026-02-01",
                "failed: silver, controls, analytics (whether days are due there is not known)",
            ],
        ),
    ],
    ids=["nothing due", "one failed", "some done, some failed"],
)
def test_nothing_was_due_is_reported_for_a_successful_run_only(
    connection: duckdb.DuckDBPyConnection, failed: tuple[str, ...], days: tuple[str, ...], said: list[str]
) -> None:
    connection.execute("insert into gold.pipeline_state values ('pipeline_a', 'failure', 'an earlier run')")
    for name in failed:
        connection.execute("insert into gold.pipeline_state values (?, 'failure', 'run')", [name])
    for name in days:
        connection.execute("insert into gold.pipeline_day values (?, ?, 'run')", [name, D1])
    assert run_summary(DuckDBReader(connection), "run") == said
