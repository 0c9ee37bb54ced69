"""The same lake on DuckDB and on Spark + Delta Lake: row for row and type for type."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from python_jobs.generate import KINDS, Fault, GenerateRequest, generate
from python_jobs.pipelines import PIPELINES
from python_jobs.report import DuckDBReader, SparkReader, day_report, run_summary
from python_jobs.warehouse import open_duckdb
from tests.spark import Twins, interpreted

pytestmark = pytest.mark.timeout(1800)  # Spark plans and commits five hundred statements a run

D1, D4 = date(2026, 2, 1), date(2026, 2, 4)
LATE_USER = "user_0000003"
PLANTED = {
    1: ("missing_entry", "doubled_entry", "late_row", "unknown_type"),
    2: ("wrong_sign", "lost_snapshot", "bad_amount", "mint_without_backing"),
    3: ("missing_event_time", "conflicting_entry", "repeated_lines", "tampered_balance"),
    4: ("negative_balance", "bad_status", "dropped_window"),
}
FAULTS = (
    *(Fault(kind=kind, day=day) for day, kinds in PLANTED.items() for kind in kinds),
    Fault(kind="stale_source", day=5, table="transaction_ledger_raw"),
)
BY_PERSON = {
    "silver.ledger_entries": "wallet_id",
    "silver.wallet_snapshot": "user_id",
    "gold.recon_daily_snapshot_flow": "user_id",
    "gold.admin_tx_search": "wallet_id",
}


def newest_version(twins: Twins, table: str) -> int:
    return int(twins.session.sql(f"describe history {table} limit 1").collect()[0]["version"])


@pytest.fixture(scope="module")
def ran(twins: Twins, tmp_path_factory: pytest.TempPathFactory) -> Twins:
    """Five generated days with every kind of fault, four of them run."""
    raw = tmp_path_factory.mktemp("raw") / "days"
    generate(GenerateRequest(out=raw, days=5, wallets=60, entries=2000, seed=11, first_day=D1, faults=FAULTS))
    twins.lake.load_folder(raw)
    with interpreted(twins.session):
        for result in twins.run(D1, D4, now=datetime(2026, 2, 6, 1, tzinfo=UTC)):
            assert result.problems == ()
    return twins


def test_generated_days_with_faults_give_the_same_tables(ran: Twins) -> None:
    assert {fault.kind for fault in FAULTS} == set(KINDS)
    assert ran.differences() == []
    assert ran.lake.exceptions() != []


def test_reports_and_summaries_say_the_same(ran: Twins) -> None:
    on_spark = SparkReader(ran.session)
    with open_duckdb(ran.lake.warehouse, read_only=True) as connection:
        on_duckdb = DuckDBReader(connection)
        assert day_report(on_spark, D1) == day_report(on_duckdb, D1)
        assert run_summary(on_spark, "run_1") == run_summary(on_duckdb, "run_1")
        assert len(run_summary(on_spark, "run_1")) > len(PIPELINES) - 1


def test_a_rerun_with_a_late_row_changes_the_same_rows_and_no_other(ran: Twins) -> None:
    """Merges, replaced partitions and appended rows end alike; what does not concern the late row stands as it was."""
    versions = {table: newest_version(ran, table) for table in BY_PERSON}
    late = {"tx_id": "late", "wallet_id": LATE_USER, "type": "MINT", "amount": "12.34"}
    stamps = {"created_at": "2026-02-01T03:00:00Z", "source_extracted_at": "2026-02-02T03:00:00Z"}
    ran.lake.load({"transaction_ledger": [late | stamps]})
    with interpreted(ran.session):
        for result in ran.run(D1, D4, now=datetime(2026, 2, 7, 1, tzinfo=UTC)):
            assert result.problems == ()
    assert ran.differences() == []
    for table, version in versions.items():
        before = ran.session.sql(f"select * from {table} version as of {version}")
        changed = before.exceptAll(ran.session.table(table)).collect()
        assert {row[BY_PERSON[table]] for row in changed} <= {LATE_USER}, table
    assert ran.session.table("silver.ledger_entries").where("tx_id = 'late'").count() == 1
