"""The report of a day as a controller reads it."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from rich.console import Console

from plura.cli.lake_report import print_report, summary
from plura.kit.settings import LakeSettings
from python_jobs.report import DayReport

CLEAN = DayReport(
    day=date(2026, 2, 1),
    pipelines=[
        {
            "pipeline_name": "pipeline_b",
            "status": "success",
            "last_success_ts": datetime(2026, 2, 2, 1),
            "last_processed_end": datetime(2026, 2, 1, 15),
            "day_run_id": "run",
        }
    ],
    supply=[
        {
            "verdict": "OK",
            "issued_supply": Decimal("12345678901234.50"),
            "wallet_total_balance": Decimal("12345678901234.50"),
            "diff_amount": Decimal("0.00"),
            "stale_wallet_count": 0,
            "dq_tag": None,
        }
    ],
    recon=[{"verdict": "OK", "coverage": "FULL", "wallets": 1800, "drift_abs": Decimal(0)}],
    drifts=[],
    payments=[],
    pairing=[],
    fact=[{"payments": 1, "without_category": 0, "dropped": 0}],
    quality=[],
    exceptions=[],
    exception_count=0,
    exceptions_elsewhere=0,
    quarantine=[],
)


def page(report: DayReport, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_report(console, report, LakeSettings())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_clean_day_reads_clean() -> None:
    assert [verdict for _, verdict, _ in summary(CLEAN)] == ["OK", "OK", "OK", "OK", "success"]


def test_the_gravest_finding_of_each_control_speaks() -> None:
    report = replace(
        CLEAN,
        supply=[CLEAN.supply[0] | {"verdict": "MISMATCH", "diff_amount": Decimal("1000000.00")}],
        recon=[
            {"verdict": "OK", "coverage": "FULL", "wallets": 1800, "drift_abs": Decimal(0)},
            {"verdict": "DRIFT", "coverage": "FULL", "wallets": 2, "drift_abs": Decimal(5)},
            {"verdict": "UNRECONCILED", "coverage": "STALE_SNAPSHOT", "wallets": 1, "drift_abs": None},
        ],
        quality=[
            quality("bronze.transaction_ledger_raw", "SOURCE_STALE", "CRITICAL"),
            quality("bronze.user_wallets_raw", "CONTRACT_VIOLATION", "WARN"),
        ],
        exceptions=[{"severity": "WARN"}, {"severity": "CRITICAL"}],
        exception_count=4,
        pipelines=[CLEAN.pipelines[0] | {"status": "failure"}],
    )
    assert summary(report) == [
        ("supply", "MISMATCH", "issued less wallets: 1,000,000.00 KRW"),
        ("reconciliation", "DRIFT", "wallets: 1,800 OK, 2 DRIFT, 1 UNRECONCILED"),
        ("data quality", "CRITICAL", "SOURCE_STALE on transaction_ledger_raw, CONTRACT_VIOLATION on user_wallets_raw"),
        ("exceptions", "CRITICAL", "4 open"),
        ("pipelines", "failure", "last run failed: pipeline_b"),
    ]


def quality(source: str, tag: str, severity: str) -> dict[str, object]:
    figures = {"event_count": 1, "freshness_sec": 1, "dup_rate": Decimal(0), "bad_records_rate": Decimal("0.0125")}
    return figures | {"zero_windows": 0, "source_table": source, "dq_tag": tag, "severity": severity}


def test_no_figure_is_cut_on_a_narrow_terminal() -> None:
    text = page(replace(CLEAN, quality=[quality("bronze.transaction_ledger_raw", "DUP_SUSPECTED", "WARN")]), 40)
    assert "12,345,678,901,234.50" in text
    assert "transaction_ledger_raw" in text
    assert "1.25 %" in text
    assert "\u2026" not in text
