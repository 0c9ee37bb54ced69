"""Scenarios: how their inputs are run, and what their tests ask of the tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from tests.dbt_runs import PROJECT
from tests.lakes import Lake
from tests.oracle.bronze import Batch
from tests.oracle.lake import TableRow, expected
from tests.oracle.rules import parse_entry_types, parse_rules, read_csv
from tests.oracle.silver import gate_breaches, silver

Inputs = Mapping[str, Sequence[str]]
"""Lines by source."""

FIRST = date(2026, 2, 1)
SECOND = date(2026, 2, 2)
EXTRACTED = datetime(2026, 2, 1, tzinfo=UTC)
"""09:00 KST of the first day: the extraction instant of scenarios whose lines carry one extract and no other time."""
NOW = datetime(2026, 2, 3, tzinfo=UTC)

RULES = read_csv(PROJECT / "seeds" / "rules.csv")
ENTRY_TYPES = read_csv(PROJECT / "seeds" / "entry_types.csv")

LEDGER = "bronze.transaction_ledger_raw"
WALLETS = "bronze.user_wallets_raw"
ORDERS = "bronze.payment_orders_raw"
SILVER = ("wallet_snapshot", "ledger_entries", "order_events", "order_items", "products")
GOLD = (
    "recon_daily_snapshot_flow",
    "ledger_supply_balance_daily",
    "ops_payment_failure_daily",
    "ops_payment_refund_daily",
    "ops_ledger_pairing_quality_daily",
    "admin_tx_search",
    "fact_payment_anonymized",
)


def batches_of(inputs: Inputs, extracted_at: datetime | None) -> list[Batch]:
    """The scenario's files as the oracle takes them."""
    return [
        Batch(f"{source}_raw", tuple(lines), extracted_at, NOW, seq)
        for seq, (source, lines) in enumerate(sorted(inputs.items()), start=1)
    ]


def comparable(rows: Iterable[TableRow], columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Rows cut to columns and sorted; a message counts by its content, figures in it by 6 digits."""

    def text(name: str, value: Any) -> str:
        if name == "message":
            content = json.loads(value, parse_float=Decimal, parse_int=Decimal)
            value = {key: f"{value:.6f}" if isinstance(value, Decimal) else value for key, value in content.items()}
        return f"{value}"

    return sorted(tuple(text(name, row[name]) for name in columns) for row in rows)


def assert_tables(lake: Lake, tables: dict[str, list[TableRow]], days: Sequence[date]) -> None:
    """Each table holds the oracle's rows and no others; the guardrail's are those of the days the run named."""
    of_days = f"date_kst between '{min(days)}' and '{max(days)}'"
    conditions = {
        "silver.dq_status": f"window_kind = 'day' and {of_days}",
        "gold.exception_ledger": f"resolved_at is null and {of_days}",
    }
    for name, rows in tables.items():
        wanted = [row for row in rows if name not in conditions or row["date_kst"] in days]
        found = lake.table(name, where=conditions.get(name, "true"))
        columns = sorted(rows[0]) if rows else ["nothing"]
        if not wanted:
            assert found == [], name
        assert comparable(found, columns) == comparable(wanted, columns), name


def run_scenario(
    lake: Lake, inputs: Inputs, *days: date, extracted_at: datetime | None = EXTRACTED, checks: bool = False
) -> None:
    """Load and run a scenario that passes the gate; every table is compared with the oracle's.

    ``checks`` runs dbt's data tests as well.
    """
    lake.now, lake.checks = NOW, checks
    lake.load(inputs, extracted_at=extracted_at)
    lake.run_clean(days[0], days[-1])
    assert_tables(lake, expected(batches_of(inputs, extracted_at), RULES, ENTRY_TYPES, NOW, days), days)


def run_into_gate(lake: Lake, inputs: Inputs, **stopped: int) -> list[tuple[Any, ...]]:
    """Load and run a scenario that the bad-rate gate stops; returns source table, reason and line of the bad records.

    ``stopped`` names the Silver tables over the threshold with their bad rows. Nothing but the guardrail's tables and
    the bad records may be written.
    """
    lake.now, lake.checks = NOW, False
    lake.load(inputs, extracted_at=EXTRACTED)
    result = lake.run(FIRST)
    batches = batches_of(inputs, EXTRACTED)
    rules = parse_rules(RULES)
    breaches = gate_breaches(silver(batches, rules, parse_entry_types(ENTRY_TYPES), NOW), rules, NOW)
    assert {breach.table.removeprefix("silver."): breach.bad for breach in breaches} == stopped
    assert len(result.problems) == len(stopped)
    for table, bad in stopped.items():
        assert any(f"bad-rate gate: silver.{table} has {bad} bad of" in problem for problem in result.problems)

    tables = expected(batches, RULES, ENTRY_TYPES, NOW, [FIRST])
    published = {"silver.bad_records", "silver.dq_status"}
    quarantined = {name: rows for name, rows in tables.items() if name in published}
    quarantined["gold.exception_ledger"] = [row for row in tables["gold.exception_ledger"] if row["domain"] == "dq"]
    assert_tables(lake, quarantined, [FIRST])
    for table in (*(f"silver.{name}" for name in SILVER), "silver.change_log", *(f"gold.{name}" for name in GOLD)):
        assert lake.sql(f"select count(*) from {table}") == [(0,)], table
    assert lake.sql("select pipeline_name, status, last_processed_end from gold.pipeline_state order by all") == [
        ("pipeline_a", "success", None),
        ("pipeline_b", "failure", None),
        ("pipeline_c", "failure", None),
        ("pipeline_silver", "failure", None),
    ]
    return lake.sql("select source_table, reason, line_number from silver.bad_records order by all")


def recon(lake: Lake) -> list[tuple[Any, ...]]:
    """Day, wallet, coverage and verdict of the reconciliation."""
    return lake.sql(
        "select date_kst, user_id, coverage, verdict from gold.recon_daily_snapshot_flow order by date_kst, user_id"
    )


def supply(lake: Lake) -> list[tuple[Any, ...]]:
    """Day, verdict and tag of the supply balance."""
    return lake.sql("select date_kst, verdict, dq_tag from gold.ledger_supply_balance_daily order by date_kst")


def net_flows(lake: Lake) -> list[tuple[Any, ...]]:
    """Day, wallet and flow of the KST day."""
    return lake.sql("select date_kst, user_id, net_flow_kst_day from gold.recon_daily_snapshot_flow order by all")


def pairing(lake: Lake) -> list[tuple[Any, ...]]:
    """Day, entries, and shares: without related id, fully paired groups, groups with a payment order."""
    return lake.sql(
        "select date_kst, entry_cnt, related_id_null_rate, pair_candidate_rate, join_payment_orders_rate"
        " from gold.ops_ledger_pairing_quality_daily order by all"
    )


def categories(lake: Lake) -> list[tuple[Any, ...]]:
    """Day, amount and category of the anonymized payments."""
    return lake.sql("select date_kst, amount, category from gold.fact_payment_anonymized order by all")


def dq_tags(lake: Lake) -> dict[str, tuple[str | None, str | None]]:
    """Tag and severity of the first day's day rows by source."""
    rows = lake.sql(
        "select source_table, dq_tag, severity from silver.dq_status where window_kind = 'day' and date_kst = ?",
        [FIRST],
    )
    return {source: (tag, severity) for source, tag, severity in rows}


def won(amount: str) -> Decimal:
    """Amount or share as the tables hold it."""
    return Decimal(amount)
