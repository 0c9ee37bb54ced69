"""The floor of the benchmark is honest: on a clean day it computes the Silver and Gold that the lake computes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from bench.floor import compute
from python_jobs.generate import GenerateRequest, generate
from tests.lakes import CLOCKS, Lake

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

DAY = date(2026, 2, 1)

SILVER = ("wallet_snapshot", "ledger_entries", "order_events", "order_items", "products")
GOLD = (
    "recon_daily_snapshot_flow",
    "wallet_balance_daily",
    "ledger_supply_balance_daily",
    "ops_payment_failure_daily",
    "ops_payment_refund_daily",
    "ops_ledger_pairing_quality_daily",
    "admin_tx_search",
    "fact_payment_anonymized",
    "fact_payment_dropped_daily",
)
NOT_OF_THE_DAY = {
    "dim_rule_scd2",  # published rules
    "exception_ledger",  # a clean day has none
    "event_outbox",  # nor events of them
    "event_delivery",
    "pipeline_state",
    "pipeline_day",
    "pseudonym_salt_version",
}
FIGURES = (
    "source_table",
    "window_kind",
    "window_start_ts",
    "window_end_ts",
    "date_kst",
    "freshness_sec",
    "event_count",
    "dup_rate",
    "bad_records_rate",
    "zero_windows",
)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Lake:
    """A clean generated day, computed by the lake and by the floor in one warehouse."""
    work = tmp_path_factory.mktemp("floor")
    generate(GenerateRequest(out=work / "bronze", days=1, wallets=300, entries=4_000, first_day=DAY, seed=3))
    lake = Lake(work=work, manifest=manifest, now=datetime(2026, 2, 2, tzinfo=UTC), checks=False)
    lake.load_folder(work / "bronze")
    lake.run_clean(DAY)
    seconds = compute(str(lake.warehouse), DAY)
    assert list(seconds) == ["guardrail", "silver", "controls", "analytics"]
    return lake


@pytest.mark.parametrize("table", [f"silver.{name}" for name in SILVER] + [f"gold.{name}" for name in GOLD])
def test_every_content_column_of_a_clean_day_is_the_same(lake: Lake, table: str) -> None:
    schema, name = table.split(".")
    columns = [
        column
        for (column,) in lake.sql(
            "select column_name from duckdb_columns() where schema_name = ? and table_name = ?", [schema, name]
        )
        if column not in CLOCKS
    ]
    content = ", ".join(columns)
    for left, right in ((table, f"floor_{table}"), (f"floor_{table}", table)):
        assert lake.sql(f"select {content} from {left} except all select {content} from {right} limit 3") == []


def test_the_figures_of_the_guardrail_are_the_same(lake: Lake) -> None:
    figures = ", ".join(FIGURES)
    ours = lake.sql(f"select {figures} from silver.dq_status order by all")
    assert ours == lake.sql(f"select {figures} from floor_silver.dq_status order by all")
    assert len(ours) == 3


def test_the_floor_leaves_no_gold_table_out(lake: Lake, manifest: Manifest) -> None:
    contracted = {
        node.name
        for node in manifest.nodes.values()
        if node.resource_type == "model" and node.schema == "gold" and node.config.contract.enforced
    }
    assert contracted - NOT_OF_THE_DAY == set(GOLD)
    assert lake.sql("select * from gold.exception_ledger") == []


def test_the_day_has_something_to_compare(lake: Lake) -> None:
    rows = {name: lake.sql(f"select count(*) from gold.{name}")[0][0] for name in GOLD}
    assert rows.pop("fact_payment_dropped_daily") == 0  # every generated payment has a user
    assert min(rows.values()) >= 1
    assert rows["admin_tx_search"] == 4_000
