"""Rules: business validity, and what a change of rules recomputes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pytest

from tests.dbt_runs import PROJECT
from tests.integration.lines import kst, payment, snapshot
from tests.lakes import Lake

D1, D2, D3, D4 = (date(2026, 3, day) for day in range(2, 6))
OPEN_END = datetime(9999, 12, 31)

DEFAULT_RULES = (PROJECT / "seeds" / "rules.csv").read_text(encoding="utf-8")
TOLERANT = 'tolerant,ledger,drift_abs,,10,"{""crit"": 10}",,{start},A drift of 10 is none.'
NEW_STATUS = 'with_settled,silver,payment_status_allowed,,,,"[""PAID"", ""SETTLED""]",{start},A status more.'
SCOPED = 'of_orders,silver,payment_status_allowed,bronze.orders_raw,,,"[""SHIPPED""]",,Commerce orders have their own.'
ALL_MAY_BE_BAD = "lax,silver,bad_records_rate,silver.order_events,1,,,,The gate is not what is shown here."

LINES = {
    # 5 are lost each day
    "user_wallets": [snapshot("leaky", 100 - 5 * n, kst(day, "00:00:00")) for n, day in enumerate((D1, D2, D3, D4))],
    "payment_orders": [payment(f"settled_{day.day}", "SETTLED", 1, kst(day, "12:00:00")) for day in (D1, D2)]
    + [payment("shipped", "SHIPPED", 1, kst(D1, "12:00:00"))],
    "orders": [{"order_id": 1, "total_amount": 1, "status": "SHIPPED", "created_at": kst(D1, "12:00:00")}],
}


def rules(*more: str) -> str:
    """The default rules and some more."""
    return DEFAULT_RULES + "".join(f"{rule}\n" for rule in (ALL_MAY_BE_BAD, SCOPED, *more))


def from_day(rule: str, day: date) -> str:
    """A rule that is valid from the start of a KST day."""
    return rule.replace("{start}", f"{date.fromordinal(day.toordinal() - 1)} 15:00:00")


@dataclass(frozen=True, kw_only=True)
class Ruled:
    """What stood after each run: run name to days or rows."""

    lake: Lake
    verdicts: dict[str, dict[date, tuple[Any, ...]]] = field(default_factory=dict)
    computed_by: dict[str, dict[date, str]] = field(default_factory=dict)
    open_drifts: dict[str, list[date]] = field(default_factory=dict)
    orders: dict[str, set[str]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def ruled(new_lake: Callable[..., Lake]) -> Ruled:
    lake = new_lake(checks=False)
    result = Ruled(lake=lake)

    def run(name: str, text: str, *days: date) -> None:
        lake.seeds["rules"] = text
        lake.run_clean(*days, pipelines=["silver", "controls"], run_id=name)
        rows = lake.sql("select date_kst, verdict, rule_id from gold.recon_daily_snapshot_flow")
        result.verdicts[name] = {day: (verdict, rule) for day, verdict, rule in rows}
        result.computed_by[name] = dict(lake.sql("select date_kst, run_id from gold.pipeline_day"))
        result.open_drifts[name] = [day for day, kind, *_ in lake.exceptions() if kind == "RECON_DRIFT_HIGH"]
        result.orders[name] = {order for (order,) in lake.sql("select order_ref from silver.order_events")}

    lake.load(LINES)
    run("default", rules())
    lake.checks = True
    run("from the second day", rules(from_day(TOLERANT, D2), from_day(NEW_STATUS, D2)))
    lake.checks = False
    # the same instant in KST: neither an edit of its validity nor another one on any engine
    third = TOLERANT.replace("{start}", f"{D3}T00:00:00+09:00")
    run("from the third day", rules(third, from_day(NEW_STATUS, D2)))
    run("backfill", rules(from_day(TOLERANT, D3), from_day(NEW_STATUS, D2)), D1, D3)
    return result


STRICT = ("DRIFT", "ledger_recon_abs_default")
LENIENT = ("OK", "tolerant")


def test_a_later_version_judges_later_days_only(ruled: Ruled) -> None:
    assert ruled.verdicts["default"] == {D1: STRICT, D2: STRICT, D3: STRICT}
    assert ruled.verdicts["from the second day"] == {D1: STRICT, D2: LENIENT, D3: LENIENT}
    assert ruled.open_drifts["from the second day"] == [D1]


def test_a_change_recomputes_the_days_of_its_old_and_new_validity(ruled: Ruled) -> None:
    """Moved from the second to the third day: the second one changes its judge, and its exception reopens.

    Earlier days are not computed; later ones are for their balances, which are cumulative.
    """
    assert ruled.computed_by["from the second day"][D1] == "default"
    assert ruled.verdicts["from the third day"] == {D1: STRICT, D2: STRICT, D3: LENIENT}
    assert ruled.computed_by["from the third day"] == {D1: "default"} | dict.fromkeys((D2, D3), "from the third day")
    assert ruled.open_drifts["from the third day"] == [D1, D2]


def test_a_backfill_uses_the_version_of_each_day(ruled: Ruled) -> None:
    """History is reproduced: the same verdicts by the same rules."""
    assert {ruled.computed_by["backfill"][day] for day in (D1, D2, D3)} == {"backfill"}
    assert ruled.verdicts["backfill"] == ruled.verdicts["from the third day"]


def test_a_changed_row_rule_brings_bad_rows_back(ruled: Ruled) -> None:
    """SETTLED is a status from the second day on: the row of that day comes in, that of the first stays out."""
    assert "settled_3" not in ruled.orders["default"]
    assert ruled.orders["from the second day"] - ruled.orders["default"] == {"settled_3"}


def test_a_rule_of_a_source_takes_precedence_over_the_general_rule(ruled: Ruled) -> None:
    """SHIPPED is allowed for commerce orders alone."""
    assert "1" in ruled.orders["default"]
    assert "shipped" not in ruled.orders["default"]


def test_versions_are_half_open_and_the_snapshot_keeps_the_edits(ruled: Ruled) -> None:
    """Validity is that of the file; when it was edited is dbt's own clock, and no edit is lost."""
    assert ruled.lake.sql(
        "select rule_id, effective_start_ts, effective_end_ts, is_current from gold.dim_rule_scd2"
        " where metric = 'drift_abs' order by effective_start_ts"
    ) == [
        ("ledger_recon_abs_default", datetime(1970, 1, 1), datetime(2026, 3, 3, 15), False),
        ("tolerant", datetime(2026, 3, 3, 15), OPEN_END, True),
    ]
    edits = ruled.lake.sql(
        "select effective_start_ts, dbt_valid_to = timestamp '9999-12-31', dbt_valid_from > timestamp '2026-03-11'"
        " from gold.rule_edits where rule_id = 'tolerant' order by effective_start_ts"
    )
    # published when the test ran, whatever day the rule counts from; the first version was withdrawn
    assert edits == [(datetime(2026, 3, 2, 15), False, True), (datetime(2026, 3, 3, 15), True, True)]


def test_a_warehouse_of_an_earlier_version_keeps_its_history_of_edits(
    ruled: Ruled, new_lake: Callable[..., Lake]
) -> None:
    """Its table of the seed had numbers and instants in columns of their types."""
    lake = new_lake(checks=False, seeds=ruled.lake.seeds)
    shutil.copy(ruled.lake.warehouse, lake.warehouse)
    lake.sql(
        "create or replace table gold.rules as select * replace (cast(threshold as double) as threshold,"
        " cast(effective_start_ts as timestamp) as effective_start_ts) from gold.rules"
    )
    edits = lake.sql("select * from gold.rule_edits order by all")
    lake.run_clean(D1, pipelines=["silver"])
    assert lake.sql("select * from gold.rule_edits order by all") == edits
    assert lake.sql("select * from gold.dim_rule_scd2 order by all") == ruled.lake.sql(
        "select * from gold.dim_rule_scd2 order by all"
    )


@pytest.mark.parametrize(
    ("found", "written"),
    [("REFUND_IN,1,0,IN,REFUND_OUT", "REFUND_IN,1,0,IN,PAYMENT"), ("RECEIVE,1,0,IN,", "RECEIVE,1,0,OUT,")],
    ids=["names a type that names another", "same role on both sides"],
)
def test_types_that_do_not_pair_mutually_stop_the_run(new_lake: Callable[..., Lake], found: str, written: str) -> None:
    types = (PROJECT / "seeds" / "entry_types.csv").read_text(encoding="utf-8")
    assert found in types
    lake = new_lake(seeds={"entry_types": types.replace(found, written)})
    lake.load(LINES)
    problems = lake.run(D1, pipelines=["silver", "controls"]).problems
    assert any(line.startswith("entry_types_pair_mutually: ") for line in problems), problems
    assert lake.sql("select count(*) from gold.pipeline_day") == [(0,)]
