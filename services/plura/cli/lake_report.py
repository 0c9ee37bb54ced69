"""The report of a KST day on a terminal."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from python_jobs.pipeline_names import TITLES

if TYPE_CHECKING:
    from rich.console import Console

    from plura.kit.lake_settings import LakeSettings
    from python_jobs.report import DayReport, Rows

_COLOURS = {
    "success": "green",
    "OK": "green",
    "failure": "red",
    "CRITICAL": "red",
    "DRIFT": "red",
    "MISMATCH": "red",
    "WARN": "yellow",
    "SUPPRESSED": "yellow",
    "UNRECONCILED": "yellow",
    "NO_DATA": "yellow",
    "NO_BASELINE": "yellow",
}
_NAMED_DAYS = 5
"""Other days that a line names; the rest is counted."""
_NARROWEST = 100
"""Least columns of the page; narrower terminals wrap, so that no figure is cut."""


def print_report(console: Console, report: DayReport, settings: LakeSettings) -> None:
    """Print the report of a day."""
    console.width = max(console.width, _NARROWEST)
    console.rule(f"[bold]Controls of {report.day} (KST)[/]")
    _print_summary(console, report)
    _print_pipelines(console, report)
    _print_money(console, report)
    _print_operations(console, report)
    _print_findings(console, report)
    docs = settings.project_dir / "target" / "static_index.html"
    hint = f"open {docs}" if docs.exists() else "make docs writes target/static_index.html"
    console.print(f"Lineage and columns (dbt docs): {hint}", highlight=False)


def _print_summary(console: Console, report: DayReport) -> None:
    """The first part for a controller: one line per control."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, verdict, text in summary(report):
        table.add_row(name, Text(verdict, style=_COLOURS.get(verdict, "")), text)
    console.print(table)
    console.print()


def summary(report: DayReport) -> list[tuple[str, str, str]]:
    """Return name, verdict and explanation of each control of a day."""
    supply = report.supply[0] if report.supply else None
    counts: dict[str, int] = {}
    for row in report.recon:
        counts[row["verdict"]] = counts.get(row["verdict"], 0) + row["wallets"]
    # the verdict that asks for the most attention speaks for the day
    verdict = next((name for name in ("DRIFT", "SUPPRESSED", "UNRECONCILED", "OK") if name in counts), "NO_DATA")
    wallets = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(counts.items(), key=lambda item: -item[1]))
    tags = [
        f"{row['dq_tag']} on {row['source_table'].removeprefix('bronze.')}" for row in report.quality if row["dq_tag"]
    ]
    severities = [row["severity"] for row in report.quality if row["severity"]]
    failed = [row["pipeline_name"] for row in report.pipelines if row["status"] != "success"]
    return [
        ("supply", "NO_DATA", "not computed") if supply is None else ("supply", supply["verdict"], _difference(supply)),
        ("reconciliation", verdict, f"wallets: {wallets or 'none'}"),
        ("data quality", min(severities, default="OK"), ", ".join(tags) or "no tag"),
        (
            "exceptions",
            # open exceptions of other days count as well
            min((row["severity"] for row in [*report.exceptions, *report.elsewhere]), default="OK"),
            "; ".join([f"{report.counts['exceptions']:,} open on this day", *_open_elsewhere(report)]),
        ),
        (
            "pipelines",
            "failure" if failed else "success",
            f"last run failed: {', '.join(failed)}" if failed else "last run of each succeeded",
        ),
    ]


def _difference(supply: dict[str, Any]) -> str:
    """The difference of a day; if it is the same on every day since the first, with the rule that explains it."""
    text = f"issued less wallets: {supply['diff_amount']:,} KRW"
    opening = json.loads(supply.get("mismatch") or "{}").get("ledger/supply_opening")
    if opening is None:
        return text
    return f"{text}, the same on every day since the first: rule ledger/supply_opening would be {opening}"


def _open_elsewhere(report: DayReport) -> list[str]:
    """Open exceptions of other days by severity, with their days."""
    severities = sorted({row["severity"] for row in report.elsewhere})
    of_severity = {
        severity: [row for row in report.elsewhere if row["severity"] == severity] for severity in severities
    }
    return [
        f"{sum(row['exceptions'] for row in rows):,} {severity} open on other days: {_days_of(rows)}"
        for severity, rows in of_severity.items()
    ]


def _days_of(rows: Rows) -> str:
    """The days of some rows, in order, the latest ones by name."""
    days = sorted({row["date_kst"] for row in rows})
    named = ", ".join(str(day) for day in days[-_NAMED_DAYS:])
    return f"{len(days) - _NAMED_DAYS:,} earlier days, {named}" if len(days) > _NAMED_DAYS else named


def _of(report: DayReport, name: str, what: str = "") -> str:
    """How much of a list is shown: its length, or ``10 of 37`` where it is cut."""
    shown, total = len(getattr(report, name)), report.counts[name]
    return f"{total:,}" if shown == total else f"{shown:,} of {total:,}{what}; --all lists them"


def _print_pipelines(console: Console, report: DayReport) -> None:
    rows = [
        row
        | {
            "pipeline": TITLES.get(row["pipeline_name"], row["pipeline_name"]),
            "computed": "yes" if row["day_run_id"] else "" if row["pipeline_name"] == "pipeline_silver" else "no",
        }
        for row in report.pipelines
    ]
    _print(
        console,
        "State of the pipelines",
        rows,
        {
            "pipeline": "pipeline",
            "status": "last run",
            "last_success_ts": "last success (UTC)",
            "last_processed_end": "processed up to (UTC)",
            "computed": "this day computed",
        },
    )


def _print_money(console: Console, report: DayReport) -> None:
    _print(
        console,
        "Supply: issued against wallet balances, KRW",
        report.supply,
        {
            "verdict": "verdict",
            "issued_supply": "issued",
            "wallet_total_balance": "in wallets",
            "diff_amount": "difference",
            "stale_wallet_count": "stale wallets",
            "dq_tag": "data quality",
        },
    )
    _print(
        console,
        "Reconciliation: change of balance against ledger flow",
        report.recon,
        {"verdict": "verdict", "coverage": "coverage", "wallets": "wallets", "drift_abs": "drift in all, KRW"},
    )
    if report.drifts:
        _print(
            console,
            f"Largest drifts, KRW: {_of(report, 'drifts')}",
            report.drifts,
            {
                "user_id": "wallet",
                "delta_balance_total": "change of balance",
                "net_flow_total": "ledger flow",
                "drift_abs": "drift",
                "severity": "severity",
            },
        )


def _print_operations(console: Console, report: DayReport) -> None:
    _print(
        console,
        f"Payments by merchant: {_of(report, 'payments', ' merchants, by orders')}",
        report.payments,
        {
            "merchant_name": "merchant",
            "total_cnt": "orders",
            "failed_cnt": "failed",
            "failure_rate": "failure rate",
            "refunded_cnt": "refunded",
            "refund_rate": "refund rate",
        },
    )
    _print(
        console,
        "Ledger pairing",
        report.pairing,
        {
            "entry_cnt": "entries",
            "related_id_null_rate": "without related id",
            "pair_candidate_rate": "pairs complete",
            "join_payment_orders_rate": "with payment order",
        },
    )
    fact = report.fact[0]
    console.print(
        f"Anonymized payments: {fact['payments']:,} rows, {fact['without_category']:,} without category,"
        f" {fact['dropped']:,} dropped without user\n",
        highlight=False,
    )


def _print_findings(console: Console, report: DayReport) -> None:
    _print(
        console,
        "Data quality of the day",
        report.quality,
        {
            "source_table": "source",
            "event_count": "rows",
            "freshness_sec": "age, s",
            "dup_rate": "duplicates",
            "bad_records_rate": "bad",
            "zero_windows": "empty windows",
            "dq_tag": "tag",
            "severity": "severity",
        },
    )
    _print(
        console,
        f"Open exceptions of the day: {_of(report, 'exceptions')}",
        report.exceptions,
        {
            "severity": "severity",
            "exception_type": "exception",
            "metric_value": "value",
            "subject": "wallet",
            "source_table": "source",
        },
    )
    if report.quarantine:
        _print(
            console,
            "Lines of the day in quarantine that no later version has replaced (silver.bad_records_open)",
            report.quarantine,
            {
                "source_table": "meant for",
                "reason": "reason",
                "records": "lines",
                "first_file": "first file",
                "first_line": "line",
            },
        )
    if report.quarantine_elsewhere:
        lines = sum(row["records"] for row in report.quarantine_elsewhere)
        days = _days_of(report.quarantine_elsewhere)
        console.print(f"Lines of other days in quarantine: {lines:,} ({days})\n", highlight=False)


def _print(console: Console, title: str, rows: Rows, columns: dict[str, str]) -> None:
    if not rows:
        console.print(f"[bold]{title}[/]\n  none\n", highlight=False)
        return
    console.print(f"[bold]{title}[/]", highlight=False)  # as the table's title it would wrap at the table's width
    table = Table(header_style="dim", box=box.SIMPLE_HEAD)
    for key, header in columns.items():
        is_number = any(_is_number(row[key]) for row in rows)
        table.add_column(header, justify="right" if is_number else "left", no_wrap=is_number, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(key, row[key]) for key in columns))
    console.print(table)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal)


def _cell(column: str, value: Any) -> Text:
    if value is None:
        return Text("-", style="dim")
    if column.endswith("_rate"):
        return Text(f"{value * 100:.2f} %")
    if column == "source_table":
        return Text(value.removeprefix("bronze."))
    if isinstance(value, datetime):
        return Text(f"{value:%Y-%m-%d %H:%M:%S}")
    if _is_number(value):
        # the value of an exception is a count, an amount, a share or seconds: six decimals only where all are needed
        return Text(f"{value.normalize():,f}" if column == "metric_value" else f"{value:,}")
    return Text(str(value), style=_COLOURS.get(str(value), ""))
