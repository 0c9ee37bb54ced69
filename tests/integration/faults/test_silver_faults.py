"""Faults 11 to 21 of the reference: Silver.

One warehouse takes two deliveries and is run after each; the second one holds late, older, broken and wrongly loaded
lines. A third run follows the withdrawal of the wrong batch. Enough good lines keep the bad-rate gate open.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from python_jobs.load import set_batch_status
from python_jobs.warehouse import open_duckdb
from tests.integration.lines import Line, entry, item, kst, payment, product, snapshot
from tests.lakes import Lake

DAY = date(2026, 3, 2)
NEXT = date(2026, 3, 3)

WRITTEN_AS = '{"tx_id": "t_text", "wallet_id": "u1", "type": "PAYMENT", "amount": "12,00", "related_id": null}'


def good_lines(name: str, count: int) -> dict[str, list[Line]]:
    """Lines of each table that nothing is wrong with."""
    numbers = [10_000 * (1 + len(name)) + number for number in range(count)]
    return {
        "transaction_ledger": [entry(f"{name}{n}", f"w{n}", "CHARGE", 1, kst(DAY, "05:00:00")) for n in numbers],
        "user_wallets": [snapshot(f"w{n}", 1, kst(NEXT, "00:00:00")) for n in numbers],
        "payment_orders": [payment(f"{name}_po_{n}", "PAID", 1, kst(DAY, "05:00:00")) for n in numbers],
        "order_items": [item(n, n, n, 1, 1) for n in numbers],
        "products": [product(n, "OTHER") for n in numbers],
    }


def delivery(name: str, count: int, **lines: list[Line | str]) -> dict[str, list[Line | str]]:
    """Lines of interest among good ones."""
    good = good_lines(name, count)
    return {table: [*lines.get(table, []), *good[table]] for table in good}


FIRST_LOAD = delivery(
    "first",
    450,
    transaction_ledger=[
        entry("t_pay", "u1", "PAYMENT", 30, kst(DAY, "10:00:00"), "po_1", source_extracted_at=kst(DAY, "11:00:00")),
        entry("t_pay", "u1", "PAYMENT", 30, kst(DAY, "10:00:00"), "po_1", source_extracted_at=kst(DAY, "12:00:00")),
        entry("t_broken_order", "u1", "PAYMENT", 7, kst(DAY, "10:00:00"), "po_broken"),
        entry("t_round", "u1", "PAYMENT", "1.005", kst(DAY, "10:00:00")),
        entry("t_type", "u1", "GIFT", 1, kst(DAY, "10:00:00")),
        WRITTEN_AS,
        entry(" t_trim\t", " vault_v", "CHARGE", "  2.50 ", kst(DAY, "10:00:00")),
    ],
    payment_orders=[
        payment("po_1", "PENDING", 30, kst(DAY, "10:00:00"), updated_at=kst(DAY, "10:00:00")),
        payment("po_1", "PAID", 30, kst(DAY, "10:00:00"), updated_at=kst(DAY, "11:00:00")),
        payment("po_kept", "PAID", 5, kst(DAY, "10:00:00"), updated_at=kst(DAY, "10:00:00")),
        payment("po_broken", "BROKEN", 7, kst(DAY, "10:00:00")),
        payment("po_negative", "PAID", -7, kst(DAY, "10:00:00")),
        payment("po_empty", "PAID", None, kst(DAY, "10:00:00")),
        payment("po_timeless", "PAID", 7, None),
    ],
    order_items=[
        item(1, 1, 1, 1, 10, source_extracted_at=kst(DAY, "01:00:00")),
        item(1, 1, 1, 2, 10, source_extracted_at=kst(DAY, "02:00:00")),
        item(2, 1, 1, -1, 10),
    ],
    products=[
        product(1, "BEANS", 12, source_extracted_at=kst(DAY, "02:00:00")),
        product(1, "TEA", 10, source_extracted_at=kst(DAY, "01:00:00")),
        product(2, "TEA", -1),
    ],
)
SECOND_LOAD = delivery(
    "second",
    150,
    transaction_ledger=[
        entry("t_late", "u1", "CHARGE", 100, kst(DAY, "20:00:00")),
        entry("t_refund", "u1", "REFUND_IN", 30, kst(NEXT, "10:00:00"), "po_1"),
    ],
    payment_orders=[
        payment("po_1", "REFUNDED", 30, kst(DAY, "10:00:00"), updated_at=kst(NEXT, "10:00:00")),
        payment("po_kept", "PAID", -5, kst(DAY, "10:00:00"), updated_at=kst(NEXT, "10:00:00")),
    ],
    products=[product(1, "STONES", 1, source_extracted_at=kst(DAY, "00:30:00"))],
)
WRONG_LOAD = {"transaction_ledger": [entry("t_wrong", "u1", "CHARGE", 999, kst(DAY, "21:00:00"))]}


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """The warehouse after all runs, and answers to some questions after each: run name to rows."""

    lake: Lake
    statuses: dict[str, list[tuple[Any, ...]]]
    flows: dict[str, list[tuple[Any, ...]]]
    computed_by: dict[str, list[tuple[Any, ...]]]
    bad_records: dict[str, list[tuple[Any, ...]]]
    ledger: dict[str, set[str]]


@pytest.fixture(scope="module")
def cleaned(new_lake: Callable[..., Lake]) -> Cleaned:
    lake = new_lake()
    result = Cleaned(lake=lake, statuses={}, flows={}, computed_by={}, bad_records={}, ledger={})

    def run(name: str, *days: date, pipelines: tuple[str, ...] = ("silver",)) -> None:
        lake.run_clean(*days, pipelines=pipelines, run_id=name)
        result.statuses[name] = lake.sql(
            "select tx_id, status from silver.ledger_entries where related_id is not null order by all"
        )
        result.flows[name] = lake.sql(
            "select date_kst, net_flow_kst_day from gold.recon_daily_snapshot_flow where user_id = 'u1' order by all"
        )
        result.computed_by[name] = lake.sql(
            "select pipeline_name, date_kst, run_id from gold.pipeline_day where date_kst = ? order by all", [DAY]
        )
        result.bad_records[name] = lake.sql("select * from silver.bad_records order by record_id")
        result.ledger[name] = {tx for (tx,) in lake.sql("select tx_id from silver.ledger_entries")}

    lake.load(FIRST_LOAD)
    arrive_during_the_run(lake)
    run("first", pipelines=("silver", "controls", "analytics"))
    register_what_arrived(lake)
    lake.load(SECOND_LOAD)
    wrong = lake.load(WRONG_LOAD).files[0].batch_id
    lake.checks = False
    run("second", pipelines=("silver", "controls", "analytics"))
    with open_duckdb(lake.warehouse) as connection:
        set_batch_status(connection, wrong, "withdrawn", reason="wrong file", now=lake.now)
    run("third", DAY)
    return result


def arrive_during_the_run(lake: Lake) -> None:
    """A line that is in Bronze but not yet registered, as if its load went on while the run began."""
    lake.sql(
        "insert into bronze.transaction_ledger_raw select * replace ("
        " 't_meanwhile' as tx_id, 'u9' as wallet_id, 'meanwhile' as batch_id,"
        " ((select max(batch_seq) from bronze.load_registry) + 1) * 4294967296 + 1 as ingest_seq)"
        " from bronze.transaction_ledger_raw where tx_id = 't_pay' limit 1"
    )


def register_what_arrived(lake: Lake) -> None:
    lake.sql(
        "insert into bronze.load_registry select * replace ('meanwhile' as batch_id, batch_seq + 1 as batch_seq)"
        " from bronze.load_registry order by batch_seq desc limit 1"
    )


def test_fault_11_extracts_converge_to_the_latest_version_of_each_key(cleaned: Cleaned) -> None:
    """A product and an item extracted twice, an entry extracted twice, an order PENDING and PAID in one batch."""
    lake = cleaned.lake
    assert lake.sql("select category, price_krw from silver.products where product_id = 1") == [("BEANS", 12)]
    assert lake.sql("select quantity from silver.order_items where item_id = 1") == [(2,)]
    assert ("t_pay", "PAID") in cleaned.statuses["first"]
    for table, key in {
        "ledger_entries": "tx_id, wallet_id",
        "wallet_snapshot": "snapshot_ts, user_id",
        "order_events": "order_ref, order_source",
        "order_items": "item_id",
        "products": "product_id",
    }.items():
        assert lake.sql(f"select 1 from silver.{table} group by {key} having count(*) > 1") == []


def test_fault_12_a_late_row_recomputes_its_day_in_controls_and_analytics(cleaned: Cleaned) -> None:
    """100 more on the first day: the run that takes the row in computes the day anew."""
    assert cleaned.flows["first"] == [(DAY, Decimal("-37.00"))]
    assert cleaned.flows["second"][0] == (DAY, Decimal("1062.00"))  # the wrongly loaded 999 still stands
    assert cleaned.computed_by["first"] == [("pipeline_b", DAY, "first"), ("pipeline_c", DAY, "first")]
    assert cleaned.computed_by["second"] == [("pipeline_b", DAY, "second"), ("pipeline_c", DAY, "second")]


def test_fault_13_an_entry_outlives_the_bad_status_of_its_order(cleaned: Cleaned) -> None:
    """The money has moved: only the payment order is quarantined."""
    assert ("t_broken_order", None) in cleaned.statuses["first"]
    assert cleaned.lake.sql("select reason from silver.bad_records where record_json like '%BROKEN%'") == [
        ("invalid_status",)
    ]


def test_fault_14_orders_items_and_products_are_checked_and_gated(cleaned: Cleaned) -> None:
    found = cleaned.lake.sql(
        "select source_table, reason from silver.bad_records where source_table <> 'silver.ledger_entries'"
        " and run_id = 'first' order by all"
    )
    assert found == [
        ("silver.order_events", "invalid_amount"),
        ("silver.order_events", "invalid_status"),
        ("silver.order_events", "missing_event_time"),
        ("silver.order_events", "non_positive_amount"),
        ("silver.order_items", "invalid_quantity"),
        ("silver.products", "negative_price"),
    ]
    assert cleaned.lake.sql("select count(*) from gold.fact_payment_anonymized where amount <= 0") == [(0,)]
    assert cleaned.lake.sql("select count(distinct source_table) from silver.int_bad_rate_gate") == [(5,)]


def test_fault_15_entries_carry_the_latest_status_of_their_order(cleaned: Cleaned) -> None:
    """A refund a day later refreshes the payment of the first day, and the refund entry finds the order."""
    assert ("t_pay", "PAID") in cleaned.statuses["first"]
    assert {("t_pay", "REFUNDED"), ("t_refund", "REFUNDED")} <= set(cleaned.statuses["second"])


def test_fault_16_only_newer_valid_versions_replace_and_withdrawal_removes(cleaned: Cleaned) -> None:
    """An older product arrives late, an order comes again broken, an old day is run again, a batch was a mistake."""
    lake = cleaned.lake
    assert lake.sql("select category from silver.products where product_id = 1") == [("BEANS",)]
    assert lake.sql("select amount from silver.order_events where order_ref = 'po_kept'") == [(Decimal("5.00"),)]
    assert lake.sql("select reason, run_id from silver.bad_records where record_json like '%po_kept%'") == [
        ("non_positive_amount", "second")
    ]
    assert cleaned.ledger["second"] - cleaned.ledger["third"] == {"t_wrong"}
    assert cleaned.ledger["third"] < cleaned.ledger["second"]


def test_fault_17_bad_records_keep_the_line_as_it_came_and_come_once(cleaned: Cleaned) -> None:
    """The text that failed its type is there, the null key too, the rule is that of the reason."""
    evidence = cleaned.lake.sql(
        "select record_json, source_table, bronze_table, source_file, line_number, rule_id from silver.bad_records"
        " where source_table = 'silver.ledger_entries' and run_id = 'first' order by line_number"
    )
    assert [row[4:] for row in evidence] == [
        (4, "silver_bad_records_default"),
        (5, "silver_entry_type_allowed_v1"),
        (6, "silver_bad_records_default"),
    ]
    assert evidence[2][:4] == (
        WRITTEN_AS,
        "silver.ledger_entries",
        "bronze.transaction_ledger_raw",
        "transaction_ledger.jsonl",
    )
    assert set(cleaned.bad_records["first"]) <= set(cleaned.bad_records["second"])
    assert cleaned.bad_records["second"] == cleaned.bad_records["third"]


def test_fault_18_one_bad_row_stops_a_small_batch_as_documented(new_lake: Callable[..., Lake]) -> None:
    """min_rows is 1 by default: 1 of 5 is above 1 %. A source without any row has its alarm in the guardrail."""
    lake = new_lake(checks=False)
    lake.load({"products": [product(number, "TEA", -1 if number == 4 else 1) for number in range(5)]})
    result = lake.run(DAY, pipelines=["guardrail", "silver"])
    assert len(result.problems) == 1
    assert "silver.products has 1 bad of 5 pending rows (0.200000 > 0.01" in result.problems[0]
    assert lake.sql("select distinct min_rows from silver.int_bad_rate_gate") == [(1.0,)]
    assert lake.sql("select count(*) from silver.products") == [(0,)]
    assert (DAY, "EVENT_DROP_SUSPECTED", "CRITICAL", "bronze.transaction_ledger_raw", None) in lake.exceptions()


def test_fault_19_a_run_reads_what_had_arrived_when_it_began(cleaned: Cleaned) -> None:
    """What arrives meanwhile is the next run's; gate and tables count the same rows."""
    assert "t_meanwhile" not in cleaned.ledger["first"]
    assert "t_meanwhile" in cleaned.ledger["second"]
    lines = FIRST_LOAD["transaction_ledger"]
    bad = [row for row in cleaned.bad_records["first"] if "silver.ledger_entries" in row]
    extracted_twice = 1
    assert len(lines) == len(cleaned.ledger["first"]) + len(bad) + extracted_twice


def test_fault_20_a_half_published_silver_is_closed_to_controls_and_recovers(
    cleaned: Cleaned, new_lake: Callable[..., Lake]
) -> None:
    """Products cannot be written after the ledger was: the state says failure until a run has written all five."""
    lake = new_lake(checks=False)
    shutil.copy(cleaned.lake.warehouse, lake.warehouse)
    lake.load(
        {
            "products": [product(3, None)],
            "transaction_ledger": [entry("t_half", "u1", "CHARGE", 1, kst(DAY, "22:00:00"))],
        }
    )
    lake.sql("alter table silver.products alter column category set not null")
    assert not lake.run(pipelines=["silver"]).succeeded
    assert lake.sql("select count(*) from silver.ledger_entries where tx_id = 't_half'") == [(1,)]
    assert lake.sql("select count(*) from silver.products where product_id = 3") == [(0,)]
    state = "select status from gold.pipeline_state where pipeline_name = 'pipeline_silver'"
    assert lake.sql(state) == [("failure",)]
    refused = lake.run(pipelines=["controls"])
    assert any("UpstreamReadinessError" in problem for problem in refused.problems)

    lake.sql("alter table silver.products alter column category drop not null")
    lake.run_clean(pipelines=["silver", "controls"], run_id="healed")
    assert lake.sql("select count(*) from silver.products where product_id = 3") == [(1,)]
    assert lake.sql(state) == [("success",)]
    assert lake.sql("select run_id from gold.admin_tx_search where tx_id = 't_half'") == [("healed",)]


def test_fault_21_values_are_never_rounded_and_ids_are_trimmed(cleaned: Cleaned) -> None:
    """1.005 does not fit and is quarantined, no value aborts the run, and only white space is cut off."""
    lake = cleaned.lake
    assert lake.sql("select reason from silver.bad_records where record_json like '%t_round%'") == [("invalid_amount",)]
    assert lake.sql("select tx_id, wallet_id, amount from silver.ledger_entries where wallet_id like 'vault%'") == [
        ("t_trim", "vault_v", Decimal("2.50"))
    ]
