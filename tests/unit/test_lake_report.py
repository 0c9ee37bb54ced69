"""The report of a day as a controller reads it."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest
from rich.console import Console

from plura.cli.lake_report import print_report, summary
from plura.kit.lake_settings import LakeSettings
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
    elsewhere=[],
    quarantine=[],
    quarantine_elsewhere=[],
    counts={"drifts": 0, "payments": 0, "exceptions": 0},
)


def page(report: DayReport, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_report(console, report, LakeSettings())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_clean_day_reads_clean() -> None:
    assert [verdict for _, verdict, _ in summary(CLEAN)] == ["OK", "OK", "OK", "OK", "success"]


def test_the_most_severe_finding_of_each_control_counts() -> None:
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
        counts=CLEAN.counts | {"exceptions": 4},
        pipelines=[CLEAN.pipelines[0] | {"status": "failure"}],
    )
    assert summary(report) == [
        ("supply", "MISMATCH", "issued less wallets: 1,000,000.00 KRW"),
        ("reconciliation", "DRIFT", "wallets: 1,800 OK, 2 DRIFT, 1 UNRECONCILED"),
        ("data quality", "CRITICAL", "SOURCE_STALE on transaction_ledger_raw, CONTRACT_VIOLATION on user_wallets_raw"),
        ("exceptions", "CRITICAL", "4 open on this day"),
        ("pipelines", "failure", "last run failed: pipeline_b"),
    ]


def open_on(severity: str, *days: int) -> list[dict[str, object]]:
    return [{"date_kst": date(2026, 2, day), "severity": severity, "exceptions": 2} for day in days]


@pytest.mark.parametrize(
    ("elsewhere", "verdict", "said"),
    [
        ([], "OK", ""),
        (open_on("CRITICAL", 3, 5), "CRITICAL", "; 4 CRITICAL open on other days: 2026-02-03, 2026-02-05"),
        (open_on("WARN", 3), "WARN", "; 2 WARN open on other days: 2026-02-03"),
        (
            open_on("WARN", 3, 4) + open_on("CRITICAL", 4),
            "CRITICAL",
            "; 2 CRITICAL open on other days: 2026-02-04; 4 WARN open on other days: 2026-02-03, 2026-02-04",
        ),
        (
            open_on("CRITICAL", *range(2, 10)),
            "CRITICAL",
            f"; 16 CRITICAL open on other days: 3 earlier days, {', '.join(f'2026-02-0{day}' for day in range(5, 10))}",
        ),
    ],
    ids=["none", "critical", "warn", "both", "many days"],
)
def test_what_is_open_on_other_days_is_no_green_line_and_names_its_days(
    elsewhere: list[dict[str, object]], verdict: str, said: str
) -> None:
    line = next(line for line in summary(replace(CLEAN, elsewhere=elsewhere)) if line[0] == "exceptions")
    assert line == ("exceptions", verdict, f"0 open on this day{said}")


def merchant(number: int) -> dict[str, object]:
    figures = {
        "total_cnt": 1,
        "failed_cnt": 0,
        "failure_rate": Decimal(0),
        "refunded_cnt": 0,
        "refund_rate": Decimal(0),
    }
    return figures | {"merchant_name": f"merchant {number}"}


@pytest.mark.parametrize(
    ("there", "title"),
    [
        (10, "Payments by merchant: 10"),
        (37, "Payments by merchant: 10 of 37 merchants, by orders; --all lists them"),
    ],
)
def test_a_list_that_is_cut_is_marked(there: int, title: str) -> None:
    report = replace(
        CLEAN, payments=[merchant(number) for number in range(10)], counts=CLEAN.counts | {"payments": there}
    )
    assert title in page(report, 120).splitlines()


def test_quarantined_lines_of_other_days_are_counted_with_their_days() -> None:
    elsewhere = [{"date_kst": date(2026, 2, day), "records": 2} for day in (3, 5)]
    assert "Lines of other days in quarantine: 4 (2026-02-03, 2026-02-05)" in page(
        replace(CLEAN, quarantine_elsewhere=elsewhere), 120
    )


def quality(source: str, tag: str, severity: str) -> dict[str, object]:
    figures = {"event_count": 1, "freshness_sec": 1, "dup_rate": Decimal(0), "bad_records_rate": Decimal("0.0125")}
    return figures | {"zero_windows": 0, "source_table": source, "dq_tag": tag, "severity": severity}


def test_no_figure_is_cut_on_a_narrow_terminal() -> None:
    text = page(replace(CLEAN, quality=[quality("bronze.transaction_ledger_raw", "DUP_SUSPECTED", "WARN")]), 40)
    assert "12,345,678,901,234.50" in text
    assert "transaction_ledger_raw" in text
    assert "1.25 %" in text
    assert "\u2026" not in text
