"""The reference's own files, where they lie beside this repository: outcomes as with the lines of our own.

Each table is compared with the oracle's as well.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.integration.scenarios import EXTRACTED, FIRST, RULES, SECOND, recon, run_into_gate, run_scenario, supply
from tests.lakes import Lake
from tests.oracle.rules import parse_rules
from tests.outside import reference_files, reference_folder, reference_scenarios
from tests.scenario_inputs import SCENARIOS, scenario_files

STOPPED = {
    "tx_id_multi_entry": {"ledger_entries": 1},
    "missing_required": {"ledger_entries": 1, "wallet_snapshot": 1},
    "invalid_amount": {"ledger_entries": 3, "wallet_snapshot": 1},
    "unknown_entry_type": {"ledger_entries": 1},
    "missing_event_time": {"ledger_entries": 1},
    "bad_records_rate_exceed": {"ledger_entries": 1},
    "status_not_allowed": {"order_events": 1},
    "status_null_and_invalid": {"order_events": 1},
}
"""Scenarios that the bad-rate gate stops, with the bad rows of each Silver table."""

TWO_DAYS = {"backfill_two_days", "timezone_boundary"}
DATED_BY_THEMSELVES = {"backfill_two_days", "gating_effect"}
"""Scenarios whose wallets say when they were extracted."""


def days_of(name: str) -> list[date]:
    return [FIRST, SECOND] if name in TWO_DAYS else [FIRST]


def extraction(name: str) -> datetime | None:
    return None if name in DATED_BY_THEMSELVES else EXTRACTED


def outcome(lake: Lake) -> dict[str, Any]:
    """What became of a scenario, without names and amounts."""
    return {
        "recon": Counter((day, coverage, verdict) for day, _, coverage, verdict in recon(lake)),
        "supply": supply(lake),
        "exceptions": Counter((day, kind, severity, source) for day, kind, severity, source, _ in lake.exceptions()),
    }


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in STOPPED])
def test_the_files_have_the_outcome_of_our_own_lines(lake: Lake, name: str, tmp_path: Any) -> None:
    theirs = reference_files(name)
    ours = Lake(work=tmp_path / "ours", manifest=lake.manifest)
    ours.work.mkdir()
    run_scenario(lake, theirs, *days_of(name), extracted_at=extraction(name))
    run_scenario(ours, scenario_files(name), *days_of(name), extracted_at=extraction(name))
    if name not in {"dup_tx_id", "stale_source"}:  # where ours have wallets besides, or another number of them
        assert outcome(lake) == outcome(ours)


@pytest.mark.parametrize("name", STOPPED)
def test_the_files_stop_at_the_gate_as_our_own_lines_do(lake: Lake, name: str, tmp_path: Any) -> None:
    theirs = reference_files(name)
    ours = Lake(work=tmp_path / "ours", manifest=lake.manifest)
    ours.work.mkdir()
    assert run_into_gate(lake, theirs, **STOPPED[name]) == run_into_gate(ours, scenario_files(name), **STOPPED[name])


def test_there_are_the_same_scenarios() -> None:
    reference_folder()
    assert reference_scenarios() == sorted(SCENARIOS)


def test_default_rules_are_those_of_the_file() -> None:
    """Same rule ids with the same threshold, limits and allowed values; ours may name a source besides."""
    text = (reference_folder() / "dim_rule_scd2.json").read_text(encoding="utf-8")
    ours = {rule.rule_id: rule for rule in parse_rules(RULES).versions}
    for rule in json.loads(text, parse_float=Decimal, parse_int=Decimal):
        mine = ours[rule["rule_id"]]
        assert (mine.domain, mine.metric) == (rule["domain"], rule["metric"])
        assert mine.threshold == rule.get("threshold")
        assert mine.limits == rule.get("severity_map", {})
        assert list(mine.allowed) == rule.get("allowed_values", [])
