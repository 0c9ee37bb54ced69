"""`--full-refresh` changes no row, whatever is selected; and what docs/operations.md names instead rebuilds."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

import pytest

from python_jobs.load import set_batch_status
from python_jobs.warehouse import open_duckdb
from tests.dbt_runs import PROJECT
from tests.integration.lines import entry, instant, kst, three_days
from tests.integration.test_dbt_alone import build, rows
from tests.lakes import Lake

D1 = date(2026, 3, 2)
OPERATIONS = " ".join((PROJECT / "docs" / "operations.md").read_text(encoding="utf-8").split())
EDITS = "select * exclude (dbt_updated_at, dbt_valid_from, dbt_valid_to) from gold.rule_edits order by all"


@pytest.fixture(scope="module")
def lived_in(new_lake: Callable[..., Lake]) -> Lake:
    """A warehouse with what no model can compute again: resolved exceptions, edits of rules, named days."""
    lake = new_lake(now=instant(D1 + timedelta(days=5), "01:00:00"))
    lake.load(three_days(D1))
    wrong = lake.load({"transaction_ledger": [entry("wrong", "bob", "CHARGE", 5, kst(D1, "13:00:00"))]}).files[0]
    lake.run_clean(watch=True)
    with open_duckdb(lake.warehouse) as connection:
        set_batch_status(connection, wrong.batch_id, "withdrawn", reason="a test", now=lake.now)
    rules = (PROJECT / "seeds" / "rules.csv").read_text(encoding="utf-8")
    lake.seeds["rules"] = rules + "lenient,ledger,drift_abs,,3,,,2026-03-03 15:00:00,Three are fine from 4 March on.\n"
    lake.now += timedelta(hours=1)
    lake.run_clean(D1 - timedelta(days=2), D1 + timedelta(days=3))
    assert lake.sql("select count(*) from gold.exception_ledger where resolved_at is not null") != [(0,)]
    assert lake.sql("select count(*) from silver.dq_status where evaluation > 1") != [(0,)]
    del lake.seeds["rules"]
    assert build(lake) == []  # under the rules of the project, which dbt alone reads
    return lake


def history(lake: Lake) -> dict[str, object]:
    """Every row that counts for somebody, with ids and instants of runs, and the edits of rules."""
    return {**rows(lake, clocks=True), "gold.rule_edits": lake.sql(EDITS)}


@pytest.mark.parametrize(
    "selection",
    [
        (),
        ("--select", "ops_payment_failure_daily", "admin_tx_search"),
        ("--select", "change_log", "exception_ledger", "pipeline_day", "pipeline_state"),
        ("--select", "fact_payment_anonymized", "fact_payment_dropped_daily"),
        ("--select", "resource_type:snapshot", "resource_type:seed"),
        ("--selector", "pipeline_a"),
    ],
    ids=lambda selection: " ".join(selection) or "everything",
)
def test_a_full_refresh_changes_no_row(lived_in: Lake, selection: tuple[str, ...]) -> None:
    before = history(lived_in)
    assert build(lived_in, "--full-refresh", *selection) == []
    after = history(lived_in)
    assert [name for name in before if before[name] != after[name]] == []
    assert all(before[name] for name in ("gold.exception_ledger", "silver.change_log", "gold.pipeline_day"))


def test_what_the_documentation_says_instead_rebuilds_every_table_from_bronze(new_lake: Callable[..., Lake]) -> None:
    (sentence,) = re.findall(r"To rebuild Silver and Gold from Bronze, (.*?)\.\s", OPERATIONS)
    statements = re.findall(r"`(drop schema \w+ cascade)`", sentence)
    assert len(statements) == 2
    assert sentence.split()[-3:] == ["`plura", "lake", "run`"]
    lake = new_lake()
    lake.load(three_days(D1))
    lake.run_clean()
    before = tables(lake)
    for statement in statements:
        lake.sql(statement)
    lake.run_clean()
    assert tables(lake) == before
    assert all(before[name] for name in ("gold.exception_ledger", "gold.pipeline_day", "silver.change_log"))


def tables(lake: Lake) -> dict[str, list[str]]:
    """Rows of every table with a contract, but for the events, which name their run."""
    return {name: found for name, found in rows(lake, clocks=False).items() if name != "gold.event_outbox"}
