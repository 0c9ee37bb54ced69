"""Rules that nobody reads stop the run in one line, by the command and by bare dbt, and nothing changes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from tests.integration.lines import kst, payment, snapshot
from tests.integration.test_dbt_alone import build
from tests.lakes import Lake
from tests.rule_files import DEFAULT, row

PIPELINES = ("silver", "controls")
D1, D2 = date(2026, 3, 2), date(2026, 3, 3)

# a drift of 5 without any entry, and a rule that makes it CRITICAL
LINES = {
    "user_wallets": [snapshot("leaky", 100 - 5 * n, kst(day, "00:00:00")) for n, day in enumerate((D1, D2))],
    "payment_orders": [payment("paid", "PAID", 1, kst(D1, "12:00:00"))],
}
DRIFT = "ledger/drift_abs"
UNCHANGED = (
    "gold.dim_rule_scd2",
    "gold.rule_edits",
    "gold.int_rule_days",
    "gold.exception_ledger",
    "gold.recon_daily_snapshot_flow",
    "gold.pipeline_day",
    "silver.order_events",
)
TOO_SHORT = "odd,ledger,drift_abs,,1,,,2026-02-03\n"
TOO_LONG = "odd,ledger,drift_abs,,0,5,,,2026-02-03,\n"

# the file, and what the line names of it
FAULTY: dict[str, tuple[str, str]] = {
    "unknown severities": (
        DEFAULT + row(DRIFT, severity_map='{"warning": 0, "critical": 200}'),
        "rule odd: severity_map names 'warning' (allowed: warn, crit; did you mean warn?)",
    ),
    "several": (
        DEFAULT
        + row(DRIFT, rule_id="", threshold="5")
        + row(DRIFT, threshold="5", effective_start_ts="tomorrow")
        + row("ledger/drift", rule_id="again", threshold="1"),
        (
            "rule without id (ledger/drift_abs): rule_id is empty (allowed: an id that no other version has);"
            " rule odd: effective_start_ts 'tomorrow' is not an instant (allowed: an ISO date or instant from 1970 to"
            " 9998 UTC, such as 2026-02-03 or 2026-02-03 00:00:00+09:00);"
            " rule again: metric 'drift' is read by nothing (allowed: drift_abs, supply_diff_abs, supply_opening,"
            " snapshot_tolerance_hours, payment_failed_status, payment_refunded_status, in domain ledger; did you mean"
            " drift_abs?)"
        ),
    ),
    "threshold": (
        DEFAULT + row(DRIFT, threshold="ten"),
        "rule odd: threshold 'ten' is not a plain number (allowed: an amount, 0 or more, in digits with a point)",
    ),
    "currency": (
        DEFAULT + row("silver/currency_allowed", allowed_values='["krw"]'),
        "rule odd: allowed_values 'krw' is not a currency (allowed: one or more currencies such as KRW (ISO 4217))",
    ),
    "twice": (
        DEFAULT + row(DRIFT, rule_id="ledger_recon_abs_default", threshold="1"),
        "rule ledger_recon_abs_default: rule_id is there twice (allowed: an id that no other version has)",
    ),
    "short row": (DEFAULT + TOO_SHORT, f"line {DEFAULT.count(chr(10)) + 1} (rule odd) has 8 fields (allowed: 9)"),
    "open quote": (
        DEFAULT + row(DRIFT, threshold="1").rstrip("\n") + '"open\n',
        f"line {DEFAULT.count(chr(10)) + 1} is not CSV: unexpected end of data (allowed: quotes doubled and closed)",
    ),
    "semicolons": (DEFAULT.replace(",", ";"), "the columns are separated by semicolons (allowed: commas)"),
    "no rule": (DEFAULT.split("\n")[0], "it has no rule (allowed: one row for each version of a rule)"),
}


@pytest.fixture(scope="module")
def rated(new_lake: Callable[..., Lake]) -> Lake:
    """A warehouse with an open CRITICAL exception."""
    lake = new_lake(checks=False)
    lake.load(LINES)
    lake.run_clean(D1, pipelines=PIPELINES)
    assert ("RECON_DRIFT_HIGH", "CRITICAL") in [found[1:3] for found in lake.exceptions()]
    return lake


@pytest.fixture
def copy(rated: Lake, new_lake: Callable[..., Lake]) -> Lake:
    lake = new_lake(checks=False)
    shutil.copy(rated.warehouse, lake.warehouse)
    return lake


def content(lake: Lake) -> dict[str, list[tuple[Any, ...]]]:
    return {name: lake.sql(f"select * from {name} order by all") for name in UNCHANGED}


@pytest.mark.parametrize("fault", FAULTY)
def test_the_command_stops_before_dbt_begins(rated: Lake, copy: Lake, fault: str) -> None:
    text, named = FAULTY[fault]
    copy.seeds["rules"] = text
    result = copy.run(D1, pipelines=PIPELINES, run_id="stopped")
    assert result.problems == (f"seeds/rules.csv cannot be read: {named}",)
    assert content(copy) == content(rated)
    assert set(copy.sql("select status, last_run_id from gold.pipeline_state")) == {("failure", "stopped")}


@pytest.mark.parametrize("fault", ["unknown severities", "several", "threshold", "twice", "no rule"])
def test_bare_dbt_stops_with_the_same_line(rated: Lake, copy: Lake, fault: str) -> None:
    text, named = FAULTY[fault]
    copy.seeds["rules"] = text
    with copy.seeds_in_place(copy.manifest):
        node, lines = stopped(copy)
    assert (node, lines) == ("int_rule_versions", [f"seeds/rules.csv cannot be read: {named}"])
    assert content(copy) == content(rated)


def test_the_row_of_a_file_that_has_too_many_fields_stops_bare_dbt_at_the_seed(rated: Lake, copy: Lake) -> None:
    copy.seeds["rules"] = DEFAULT + TOO_LONG
    with copy.seeds_in_place(copy.manifest):
        node, lines = stopped(copy)
    assert (node, lines) == (
        "rules",
        [f"Row {DEFAULT.count(chr(10)) - 1} has 10 values, but Table only has 9 columns."],
    )
    assert content(copy) == content(rated)


def stopped(lake: Lake) -> tuple[str, list[str]]:
    """The one node that failed in a bare dbt build, and the lines of its message that are no frames of dbt."""
    (failed,) = [line for line in build(lake) if not line.endswith(": None")]  # those were skipped
    node, message = failed.split(": ", 1)
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return node, [line for line in lines if not line.startswith(("Compilation Error in", "> in macro", "> called by"))]
