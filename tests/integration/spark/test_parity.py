"""The same lake on DuckDB and on Spark + Delta Lake: row for row and type for type."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from python_jobs.generate import KINDS, Fault, GenerateRequest, generate
from python_jobs.pipeline_names import PIPELINES
from python_jobs.report import DuckDBReader, SparkReader, day_report, run_summary
from python_jobs.warehouse import open_duckdb
from tests.spark import Twins

pytestmark = pytest.mark.timeout(1800)  # Spark plans and commits five hundred statements a run

D1, D4 = date(2026, 2, 1), date(2026, 2, 4)
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


@pytest.fixture(scope="module")
def ran(twins: Twins, tmp_path_factory: pytest.TempPathFactory) -> Twins:
    """Five generated days with every kind of fault, four of them run."""
    raw = tmp_path_factory.mktemp("raw") / "days"
    generate(GenerateRequest(out=raw, days=5, wallets=60, entries=2000, seed=11, first_day=D1, faults=FAULTS))
    twins.lake.load_folder(raw)
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
