"""Alert rules and dashboard speak of metrics that exist, and the rules fire when they should."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from plura.kit.observability.metrics import ApiMetrics, DatabaseMetrics
from plura.tx.consumer.series import ConsumerMetrics, PairingMetrics
from tests.dbt_runs import PROJECT
from tests.spark import skip_or_fail

FOLDER = PROJECT / "deploy" / "observability"
_METRIC = re.compile(r"\b(?:api|db|consumer|pairing)_\w+")


def known_metrics() -> set[str]:
    registry = CollectorRegistry()
    for group in (ApiMetrics, DatabaseMetrics, ConsumerMetrics, PairingMetrics):
        group(registry)
    found = set()
    for metric in registry.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(metric.type, [""])
        found |= {metric.name + suffix for suffix in suffixes}
    return found


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def test_rules_have_the_names_and_severities_of_the_architecture() -> None:
    assert {rule["alert"]: rule["labels"]["severity"] for rule in rules()} == {
        "ApiLatencyHigh": "warning",
        "ApiErrorRateHigh": "warning",
        "ApiServerErrorRateHigh": "critical",
        "DataFreshnessHigh": "critical",
        "TopicMissing": "critical",
        "DlqActivity": "warning",
        "ContractCoreViolationHigh": "warning",
        "DbPoolExhausted": "warning",
        "DbPoolCheckoutSlow": "warning",
        "DbReplicationLagHigh": "critical",
        "OffsetsLost": "critical",
        "ApiAbsent": "critical",
    }


def anchors(file: Path) -> set[str]:
    """The names under which the headings of a document can be linked to."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_rule_waits_and_leads_to_what_to_do() -> None:
    for rule in rules():
        seconds = re.fullmatch(r"(\d+)([smh])", rule["for"])
        assert seconds, rule["alert"]
        assert int(seconds[1]) > 0, rule["alert"]
        path, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert anchor == rule["alert"].lower()
        assert anchor in anchors(PROJECT / path), rule["annotations"]["runbook_url"]
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]


def test_a_remedy_is_documented_for_no_other_alert() -> None:
    told = (PROJECT / "docs" / "tx" / "operations.md").read_text(encoding="utf-8")
    section = told.partition("## At an alert")[2].partition("\n## ")[0]
    assert re.findall(r"^### (\w+)$", section, re.MULTILINE) == [rule["alert"] for rule in rules()]


def test_every_rule_is_tested_to_fire_and_not_to_fire() -> None:
    tests = yaml.safe_load((FOLDER / "alerts_test.yml").read_text(encoding="utf-8"))["tests"]
    checks = [check for test in tests for check in test["alert_rule_test"]]
    fires = {check["alertname"] for check in checks if check.get("exp_alerts")}
    rests = {check["alertname"] for check in checks if not check.get("exp_alerts")}
    assert fires == rests == {rule["alert"] for rule in rules()}


def test_rules_read_metrics_that_exist() -> None:
    read = {name for rule in rules() for name in _METRIC.findall(rule["expr"])}
    assert read
    assert read - known_metrics() == set()


def test_the_dashboard_reads_metrics_that_exist() -> None:
    panels = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))["panels"]
    read = {name for panel in panels for target in panel["targets"] for name in _METRIC.findall(target["expr"])}
    assert len(panels) == len({panel["id"] for panel in panels}) == 16
    assert read - known_metrics() == set()


def promtool() -> str:
    program = os.environ.get("PLURA_PROMTOOL") or shutil.which("promtool")
    if program is None:
        skip_or_fail("alert rules need Prometheus' rule tester: no promtool on the path")
    return str(program)


def test_rules_fire_when_they_should() -> None:
    for arguments in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        ended = subprocess.run([promtool(), *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("> 0.2", "> 0.6"),
        ('route=~"/(admin|console)/.*"', 'route=~".*"'),
        ('route!~"/(healthz|readyz|metrics)"', 'route!~"/healthz"'),
        ('status_code=~"5.."', 'status_code=~"4..|5.."'),
        ('status_code=~"4..|5.."', 'status_code=~"5.."'),
        (">= 50", ">= 0"),
        (">= 20", ">= 0"),
        (">= 10", ">= 100"),
        ("consumer_topic_missing) > 0", "consumer_topic_missing) > 1"),
        ("for: 2m", "for: 0m"),
        ("for: 2m", "for: 20m"),
        ("for: 1m", "for: 20m"),
        ("> 0.02", "> 0.005"),
        ("> 5", "> 5000"),
        ("for: 5m", "for: 0m"),
        ("unless consumer_dlq_total offset 5m", "unless consumer_dlq_total offset 0m"),
        ("min_over_time(db_pool_checked_out[1m])", "max_over_time(db_pool_checked_out[10m])"),
        (">= db_pool_max_size", "> db_pool_max_size"),
        ("> 1\n", "> 3\n"),
        ("> 10", "> 100"),
        ("consumer_offsets_lost_total[1h]", "consumer_offsets_lost_total[1m]"),
        ("unless consumer_offsets_lost_total offset 1h", "unless consumer_offsets_lost_total offset 1m"),
        ("absent(api_requests_total)", 'absent(api_requests_total{instance="a"})'),
    ],
)
def test_the_tests_of_the_rules_notice_a_wrong_rule(tmp_path: Any, was: str, becomes: str) -> None:
    text = (FOLDER / "alerts.yml").read_text(encoding="utf-8")
    assert was in text
    (tmp_path / "alerts.yml").write_text(text.replace(was, becomes), encoding="utf-8")
    shutil.copy(FOLDER / "alerts_test.yml", tmp_path)
    ended = subprocess.run(
        [promtool(), "test", "rules", "alerts_test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1, ended.stdout
