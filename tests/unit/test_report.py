"""What the report reads from the tables."""

from __future__ import annotations

from datetime import date

import duckdb

from python_jobs.report import _QUERIES, DuckDBReader


def test_a_reason_is_shown_with_its_first_line_in_whatever_order_the_rows_stand() -> None:
    with duckdb.connect() as connection:
        connection.execute("create schema bronze; create schema silver")
        connection.execute("create table bronze.load_registry as select 'gone' as batch_id, 'withdrawn' as status")
        connection.execute(
            """
            create table silver.bad_records as
            select 'silver.products' as source_table, 'bad' as reason, *, date '2026-02-01' as detected_date_kst
            from (values ('b', 1, 'kept'), ('a', 9, 'kept'), ('a', 4, 'kept'), ('a', 7, 'kept'), ('a', 2, 'gone'))
                as bad (source_file, line_number, batch_id)
            """
        )
        (found,) = DuckDBReader(connection).rows(_QUERIES["quarantine"], day=date(2026, 2, 1))
    assert (found["first_file"], found["first_line"], found["records"]) == ("a", 4, 4)
