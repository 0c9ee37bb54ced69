"""Rules are read to their last field, or one line names rule, field and what is allowed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from python_jobs.rules.catalog import COLUMNS, METRICS
from tests.rule_files import DEFAULT, read, row


def problem(folder: Path, *rows: str) -> str:
    """The line that stops a run with the default rules and these."""
    found = read(DEFAULT + "".join(rows), folder).problem
    assert found is not None, rows
    assert found.isprintable()
    assert found.startswith("seeds/rules.csv cannot be read: ")
    assert "allowed: " in found
    return found


def test_the_default_rules_are_read(tmp_path: Path) -> None:
    reading = read(DEFAULT, tmp_path)
    assert reading.problem is None
    assert len(reading.versions) == DEFAULT.count("\n") - 1


# Severities --------------------------------------------------------------------------------------------------------

DRIFT, GATE, FRESH = "ledger/drift_abs", "silver/bad_records_rate", "dq/freshness_sec"


@pytest.mark.parametrize(
    ("what", "severity_map", "named", "hint"),
    [
        (DRIFT, '{"warning": 0, "critical": 200}', "'warning'", "did you mean warn?"),
        (DRIFT, '{"critical": 200}', "'critical'", "did you mean crit?"),
        (DRIFT, '{"WARN": 0, "CRIT": 200}', "'WARN'", "did you mean warn?"),
        (DRIFT, '{"Crit": 200}', "'Crit'", "did you mean crit?"),
        (DRIFT, '{"crit ": 200}', "'crit '", "did you mean crit?"),
        (DRIFT, '{"warn": 0, "error": 200}', "'error'", "warn, crit"),
        (DRIFT, '{"": 200}', "''", "warn, crit"),
        (DRIFT, '{"сrit": 200}', "'сrit'", "did you mean crit?"),  # Cyrillic
        # read by another metric only
        (DRIFT, '{"crit": 0, "fail": 200}', "'fail'", "warn, crit"),
        (FRESH, '{"fail": 200}', "'fail'", "warn, crit"),
        (GATE, '{"crit": 0.1}', "'crit'", "fail"),
        (GATE, '{"fail": 0.1, "warn": 0.05}', "'warn'", "fail"),
    ],
)
def test_an_unknown_severity(tmp_path: Path, what: str, severity_map: str, named: str, hint: str) -> None:
    found = problem(tmp_path, row(what, threshold="1", severity_map=severity_map))
    assert f"rule odd: severity_map names {named} (allowed: " in found
    assert hint in found


# Fields ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "cells", "field"),
    [
        (DRIFT, {}, "threshold is empty"),
        (DRIFT, {"severity_map": "{}"}, "threshold is empty"),
        (FRESH, {}, "threshold is empty"),
        (GATE, {}, "threshold is empty"),
        ("silver/bad_records_min_rows", {}, "threshold is empty"),
        ("dq/tile_minutes", {}, "threshold is empty"),
        ("ledger/snapshot_tolerance_hours", {}, "threshold is empty"),
        ("ledger/supply_opening", {}, "threshold is empty"),
        ("silver/entry_type_allowed", {}, "allowed_values is empty"),
        ("silver/payment_status_allowed", {}, "allowed_values is empty"),
        ("silver/currency_allowed", {}, "allowed_values is empty"),
        ("silver/overdraft_allowed", {}, "allowed_values is empty"),
        ("silver/earliest_instant", {}, "allowed_values is empty"),
        ("ledger/payment_failed_status", {}, "allowed_values is empty"),
        ("analytics/order_link_pattern", {}, "allowed_values is empty"),
        # blanks and `null`, which dbt reads as nothing
        (DRIFT, {"threshold": "  "}, "threshold is empty"),
        (DRIFT, {"threshold": "null"}, "threshold is empty"),
    ],
)
def test_a_field_that_the_reader_needs(tmp_path: Path, what: str, cells: dict[str, str], field: str) -> None:
    assert f"rule odd: {field} (allowed: " in problem(tmp_path, row(what, **cells))


@pytest.mark.parametrize(
    ("what", "cells", "field"),
    [
        (DRIFT, {"threshold": "1", "allowed_values": '["A"]'}, "allowed_values"),
        ("dq/tile_minutes", {"threshold": "10", "severity_map": '{"crit": 10}'}, "severity_map"),
        ("dq/tile_minutes", {"threshold": "10", "severity_map": "{}"}, "severity_map"),
        ("ledger/snapshot_tolerance_hours", {"threshold": "1", "severity_map": '{"warn": 1}'}, "severity_map"),
        ("ledger/supply_opening", {"threshold": "1", "allowed_values": "[]"}, "allowed_values"),
        ("silver/bad_records_min_rows", {"threshold": "1", "severity_map": '{"fail": 1}'}, "severity_map"),
        ("silver/payment_status_allowed", {"allowed_values": '["A"]', "threshold": "1"}, "threshold"),
        ("silver/payment_status_allowed", {"allowed_values": '["A"]', "severity_map": '{"crit": 1}'}, "severity_map"),
        ("analytics/order_link_pattern", {"allowed_values": '["([0-9]+)$"]', "threshold": "0"}, "threshold"),
    ],
)
def test_a_field_that_is_not_read_for_the_metric(tmp_path: Path, what: str, cells: dict[str, str], field: str) -> None:
    found = problem(tmp_path, row(what, **cells))
    assert f"rule odd: {field} " in found
    assert "is read by nothing for this metric (allowed: empty)" in found


# Numbers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "0,5",
        "1e3",
        "1E3",
        "ten",
        "NaN",
        "nan",
        "Infinity",
        "-inf",
        "1_000",
        "1.000,00",
        "1 000",
        "+5",
        ".5",
        "5.",
        "0x10",
        "007",
        "１２",
        "1%",
        "true",
        "--1",
        "1.0.0",
        "5 KRW",
    ],
)
def test_a_number_that_is_not_written_plainly(tmp_path: Path, text: str) -> None:
    assert "rule odd: threshold " in problem(tmp_path, row(DRIFT, threshold=text))


@pytest.mark.parametrize("text", [" 5 ", "5 ", "\u00a05", "5\u200b", "\ufeff5"])
def test_a_number_with_blanks_around_it(tmp_path: Path, text: str) -> None:
    found = problem(tmp_path, row(DRIFT, threshold=text))
    assert "rule odd: threshold " in found
    assert "has blanks around it (allowed: '5')" in found


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (DRIFT, "-1"),
        (DRIFT, "-0.01"),
        ("ledger/supply_diff_abs", "-1"),
        (FRESH, "-1"),
        ("dq/completeness_zero_windows", "-1"),
        ("dq/dup_rate_tx_id", "1.5"),
        ("dq/dup_rate_tx_id", "-0.1"),
        ("dq/contract_bad_records_rate", "5"),
        (GATE, "1.01"),
        ("silver/bad_records_min_rows", "2.5"),
        ("silver/bad_records_min_rows", "-1"),
        ("dq/tile_minutes", "7"),
        ("dq/tile_minutes", "0"),
        ("dq/tile_minutes", "-10"),
        ("dq/tile_minutes", "2.5"),
        ("dq/tile_minutes", "90"),
        ("dq/tile_minutes", "1440"),
        ("ledger/snapshot_tolerance_hours", "-1"),
        ("ledger/snapshot_tolerance_hours", "1000000"),
        # a cent has no parts, so the amount would be rounded
        ("ledger/supply_opening", "70.555"),
        # more than a double holds
        (DRIFT, "12345678901234567.89"),
        (DRIFT, "0.1234567891"),
        (DRIFT, "1000000000000000000000"),
    ],
)
def test_a_number_out_of_range(tmp_path: Path, what: str, text: str) -> None:
    assert "rule odd: threshold " in problem(tmp_path, row(what, threshold=text))


@pytest.mark.parametrize(
    ("what", "severity_map"),
    [
        (DRIFT, '{"warn": 200, "crit": 100}'),
        (GATE, '{"fail": 1.5}'),
        ("dq/dup_rate_tx_id", '{"warn": 0.1, "crit": 10}'),
        (DRIFT, '{"crit": -1}'),
        (DRIFT, '{"crit": NaN}'),
        (DRIFT, '{"crit": Infinity}'),
        (DRIFT, '{"crit": -Infinity}'),
        (DRIFT, '{"crit": 1e400}'),
        (DRIFT, '{"crit": "300"}'),
        (DRIFT, '{"crit": true}'),
        (DRIFT, '{"crit": null}'),
        (DRIFT, '{"crit": [1]}'),
        (DRIFT, '{"crit": {"crit": 1}}'),
        (DRIFT, '{"crit": 1, "crit": 2}'),
        (DRIFT, '{"crit": 1, "\\u0063rit": 2}'),
        (DRIFT, "{'crit': 1}"),
        (DRIFT, '{"crit": 1,}'),
        (DRIFT, "{“crit”: 1}"),
        (DRIFT, "{crit: 1}"),
        (DRIFT, '{"crit": 1'),
        (DRIFT, '{"crit": 1} {}'),
        (DRIFT, '{"crit": 0,5}'),
        (DRIFT, '{"crit": 1} // strict'),
        (DRIFT, '["crit", 1]'),
        (DRIFT, "5"),
        (DRIFT, '"crit"'),
        (DRIFT, "[" * 100_000),
        (DRIFT, "crit=1"),
    ],
)
def test_limits_that_cannot_be_read_or_contradict(tmp_path: Path, what: str, severity_map: str) -> None:
    assert "rule odd: severity_map " in problem(tmp_path, row(what, threshold="1", severity_map=severity_map))


# Values ------------------------------------------------------------------------------------------------------------

STATUSES, TYPES, LINK = "silver/payment_status_allowed", "silver/entry_type_allowed", "analytics/order_link_pattern"


@pytest.mark.parametrize(
    ("what", "values"),
    [
        (STATUSES, "[]"),
        (STATUSES, '[""]'),
        (STATUSES, '["  "]'),
        (STATUSES, '["\u200b"]'),
        (STATUSES, '[" PAID"]'),
        (STATUSES, '["PAID\u00a0"]'),
        (STATUSES, '["\u00adPAID\ufe0f"]'),
        (STATUSES, '["\u3164"]'),
        (STATUSES, '["PAID\\n"]'),
        (STATUSES, '["PAID", "PAID"]'),
        (STATUSES, '["PAID", 1]'),
        (STATUSES, '["PAID", null]'),
        (STATUSES, '["PAID", ["FAILED"]]'),
        (STATUSES, '["\\ud800"]'),
        (STATUSES, "PAID"),
        (STATUSES, "PAID, FAILED"),
        (STATUSES, '{"PAID": 1}'),
        (STATUSES, "['PAID']"),
        (STATUSES, "[“PAID”]"),
        (STATUSES, '["PAID",]'),
        (TYPES, '["PAYMENT", ""]'),
        ("silver/currency_allowed", '["krw"]'),
        ("silver/currency_allowed", '["KRW", "WON "]'),
        ("silver/currency_allowed", '["410"]'),
        (LINK, '["([0-9]+"]'),
        (LINK, '["[0-9]+$"]'),
        (LINK, '["(?:[0-9]+)$"]'),
        (LINK, '["po_([0-9]+)-([0-9]+)"]'),
        (LINK, '["([0-9]+)$", "([0-9])"]'),
        (LINK, '["*([0-9])"]'),
        (LINK, '["([z-a])"]'),
        # not every engine knows them
        (LINK, '["(?<=po_)([0-9]+)"]'),
        (LINK, '["(?P<id>[0-9]+)"]'),
        (LINK, '["(?i)po_([0-9]+)"]'),
        (LINK, '["([0-9]+)\\\\1"]'),
        (LINK, '["([0-9]++)"]'),
        (LINK, '["([0-9]{2000})"]'),
        ("silver/overdraft_allowed", '["@world", "(credit"]'),
        ("silver/overdraft_allowed", '["@world", "@world"]'),
        ("silver/earliest_instant", '["1990-01-01", "2000-01-01"]'),
        ("silver/earliest_instant", "[]"),
        ("silver/earliest_instant", '["1990"]'),
        ("silver/earliest_instant", '["9999-01-01"]'),
        ("silver/earliest_instant", '["1990-02-30"]'),
        ("silver/currency_allowed", "[]"),
        ("ledger/payment_failed_status", "[]"),
        ("ledger/payment_refunded_status", '["REFUNDED", "REFUNDED"]'),
    ],
)
def test_values_that_cannot_be_read(tmp_path: Path, what: str, values: str) -> None:
    assert "rule odd: allowed_values " in problem(tmp_path, row(what, allowed_values=values))


# Names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "scope", "field", "hint"),
    [
        ("leger/drift_abs", "", "domain 'leger'", "did you mean ledger?"),
        ("Ledger/drift_abs", "", "domain 'Ledger'", "did you mean ledger?"),
        ("ledger /drift_abs", "", "domain 'ledger '", "allowed: 'ledger'"),
        ("ledger/\u200bdrift_abs", "", "metric '\\u200bdrift_abs'", "allowed: 'drift_abs'"),
        ("ledger/drift", "", "metric 'drift'", "did you mean drift_abs?"),
        ("ledger/DRIFT_ABS", "", "metric 'DRIFT_ABS'", "did you mean drift_abs?"),
        ("silver/drift_abs", "", "metric 'drift_abs'", "drift_abs is in ledger"),
        ("silver/bad_records_rate", "silver.ledger", "scope 'silver.ledger'", "did you mean silver.ledger_entries?"),
        ("silver/bad_records_rate", "ledger_entries", "scope 'ledger_entries'", "did you mean silver.ledger_entries?"),
        (
            "dq/freshness_sec",
            "bronze.user_wallets",
            "scope 'bronze.user_wallets'",
            "did you mean bronze.user_wallets_raw?",
        ),
        ("dq/freshness_sec", " bronze.user_wallets_raw", "scope ' bronze", "allowed: 'bronze.user_wallets_raw'"),
        ("dq/dup_rate_tx_id", "bronze.user_wallets_raw", "scope", "allowed: bronze.transaction_ledger_raw"),
        ("ledger/drift_abs", "gold.recon_daily_snapshot_flow", "scope", "allowed: none, leave it empty"),
    ],
)
def test_an_unknown_name(tmp_path: Path, what: str, scope: str, field: str, hint: str) -> None:
    found = problem(tmp_path, row(what, scope=scope, threshold="1"))
    assert f"rule odd: {field}" in found
    assert hint in found


@pytest.mark.parametrize(
    ("cells", "named"),
    [
        ({"rule_id": ""}, "rule without id (ledger/drift_abs): rule_id is empty"),
        ({"rule_id": "  "}, "rule without id (ledger/drift_abs): rule_id is empty"),
        ({"domain": ""}, "rule odd: domain is empty (allowed: dq, silver, ledger, analytics)"),
        ({"metric": ""}, "rule odd: metric is empty"),
        ({"rule_id": " odd"}, "rule odd: rule_id ' odd' has blanks around it (allowed: 'odd')"),
        ({"rule_id": "odd\u3000"}, "rule odd: rule_id 'odd\\u3000' has blanks around it (allowed: 'odd')"),
        ({"rule_id": "ledger_recon_abs_default"}, "rule ledger_recon_abs_default: rule_id is there twice"),
        ({"comment": "two\nlines"}, "rule odd: comment 'two\\nlines' has a line break"),
    ],
)
def test_an_id_that_is_missing_or_used_twice(tmp_path: Path, cells: dict[str, str], named: str) -> None:
    assert named in problem(tmp_path, row(DRIFT, **{"threshold": "1"} | cells))


def test_one_id_for_two_starts_or_contents(tmp_path: Path) -> None:
    for change in ({"effective_start_ts": "2026-02-04"}, {"threshold": "2"}, {}):
        rows = (row(DRIFT, threshold="1"), row(DRIFT, **{"threshold": "1"} | change))
        assert "rule odd: rule_id is there twice" in problem(tmp_path, *rows)


@pytest.mark.parametrize("start", ["1970-01-01", "", "1970-01-01T09:00:00+09:00", "1970-01-01 00:00Z"])
def test_two_versions_of_one_rule_from_one_instant_on_however_it_is_written(tmp_path: Path, start: str) -> None:
    found = problem(tmp_path, row(DRIFT, threshold="1", effective_start_ts=start))
    assert "rule odd: effective_start_ts 1970-01-01 00:00:00 UTC is also that of rule ledger_recon_abs_default" in found


def test_versions_of_different_scopes_may_start_together(tmp_path: Path) -> None:
    rows = [
        row(GATE, rule_id=scope, scope=scope, threshold="0.5") for scope in ("silver.products", "silver.order_items")
    ]
    assert read(DEFAULT + "".join(rows), tmp_path).problem is None


# Instants ----------------------------------------------------------------------------------------------------------

KST = timedelta(hours=9)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-02-03", datetime(2026, 2, 3, tzinfo=UTC)),
        ("2026-02-03 10:30", datetime(2026, 2, 3, 10, 30, tzinfo=UTC)),
        ("2026-02-03T10:30:15.25", datetime(2026, 2, 3, 10, 30, 15, 250_000, tzinfo=UTC)),
        ("2026-02-03 00:00:00+09:00", datetime(2026, 2, 3, tzinfo=UTC) - KST),
        ("2026-02-03T00:00:00+0900", datetime(2026, 2, 3, tzinfo=UTC) - KST),
        ("2026-02-03 00:00+09", datetime(2026, 2, 3, tzinfo=UTC) - KST),
        ("2026-02-03T00:00:00-03:30", datetime(2026, 2, 3, 3, 30, tzinfo=UTC)),
        ("2026-02-03T00:00:00Z", datetime(2026, 2, 3, tzinfo=UTC)),
        ("1970-01-01", datetime(1970, 1, 1, tzinfo=UTC)),
        ("", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_an_instant_with_an_offset_is_that_instant(tmp_path: Path, text: str, instant: datetime) -> None:
    reading = read(f"{','.join(COLUMNS)}\n{row(DRIFT, threshold='1', effective_start_ts=text)}", tmp_path)
    assert [version.valid_from for version in reading.versions] == [instant]


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-03 24:00",
        "03.02.2026",
        "2/3/2026",
        "1770076800",
        "1770076800000",
        "tomorrow",
        "now",
        "2026-02-30",
        "2026-13-01",
        "2026-2-3",
        "2026-02-03 0:00",
        "2026-02-03 00",
        "20260203",
        "2026-W06-2",
        "2026-034",
        "2026-02",
        "2026-02-03 00:00:60",
        "2026-02-03 00:00 KST",
        "2026-02-03 00:00:00 Asia/Seoul",
        "2026-02-03 00:00:00 +09:00",
        "2026-02-03+09:00",
        "2026-02-03 00:00:00+25:00",
        "2026-02-03 00:00:00+09:60",
        "2026-02-03 00:00:00.1234567",
        "２０２６-02-03",
        "1969-12-31",
        "1970-01-01 00:00:00+09:00",
        "0001-01-01",
        "9999-01-01",
        "9999-12-31",
        "9999-12-31 23:59:59-09:00",
        "12026-02-03",
        "-2026-02-03",
        "45000",
    ],
)
def test_what_is_no_instant_of_the_calendar(tmp_path: Path, text: str) -> None:
    found = problem(tmp_path, row(DRIFT, threshold="1", effective_start_ts=text))
    assert "rule odd: effective_start_ts " in found
    assert "2026-02-03 00:00:00+09:00" in found  # an example


@pytest.mark.parametrize("text", ["1990-01-01", "1960-01-01", "0001-01-01", "2000-01-01T00:00:00+09:00"])
def test_the_earliest_instant_may_be_before_the_calendar_of_rules(tmp_path: Path, text: str) -> None:
    reading = read(DEFAULT + row("silver/earliest_instant", allowed_values=f'["{text}"]'), tmp_path)
    assert [version.values for version in reading.versions if version.rule_id == "odd"] == [(text,)]


def test_every_metric_is_read_with_what_it_needs(tmp_path: Path) -> None:
    """The catalogue can be satisfied: a rule for each metric and scope."""
    values = {
        "entry_type_allowed": '["PAYMENT"]',
        "currency_allowed": '["KRW", "USD"]',
        "order_link_pattern": '["x([0-9]+)"]',
        "earliest_instant": '["2000-01-01T00:00:00+09:00"]',
        "overdraft_allowed": '["@.*", "credit_[0-9]+"]',
    }
    rows = [
        row(
            f"{domain}/{name}",
            rule_id=f"{name}@{scope}",
            scope=scope,
            threshold="1" if metric.numbers else "",
            severity_map=json.dumps(dict.fromkeys(metric.severities, 0.5)) if metric.severities else "",
            allowed_values=values.get(name, '["A", "B"]') if metric.values else "",
        )
        for domain, metrics in METRICS.items()
        for name, metric in metrics.items()
        for scope in ("", *metric.scopes)
    ]
    reading = read(DEFAULT + "".join(rows), tmp_path)
    assert reading.problem is None
    assert len(reading.versions) == len(rows) + DEFAULT.count("\n") - 1
