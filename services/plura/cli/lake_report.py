"""The report of a KST day on a terminal."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from plura.kit.settings import LakeSettings
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
_PIPELINES = {
    "pipeline_a": "A guardrail",
    "pipeline_silver": "Silver",
    "pipeline_b": "B controls",
    "pipeline_c": "C analytics",
}


def print_report(console: Console, report: DayReport, settings: LakeSettings) -> None:
    """Print the report of a day."""
    console.rule(f"[bold]Controls of {report.day} (KST)[/]")
    for row in report.pipelines:
        row["pipeline_name"] = _PIPELINES.get(row["pipeline_name"], row["pipeline_name"])
        row["computed"] = "yes" if row["day_run_id"] else "" if row["pipeline_name"] == "Silver" else "no"
    _print(
        console,
        "State of the pipelines",
        report.pipelines,
        {
            "pipeline_name": "pipeline",
            "status": "last run",
            "last_success_ts": "last success (UTC)",
            "last_processed_end": "processed up to (UTC)",
            "computed": "this day computed",
        },
    )
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
            "Largest drifts, KRW",
            report.drifts,
            {
                "user_id": "wallet",
                "delta_balance_total": "change of balance",
                "net_flow_total": "ledger flow",
                "drift_abs": "drift",
                "severity": "severity",
            },
        )
    _print(
        console,
        "Payments by merchant",
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
        f"Open exceptions: {report.exception_count}",
        report.exceptions,
        {
            "severity": "severity",
            "exception_type": "exception",
            "metric": "metric",
            "metric_value": "value",
            "subject": "wallet",
            "source_table": "source",
        },
    )
    if report.quarantine:
        _print(
            console,
            "Quarantined lines (silver.bad_records)",
            report.quarantine,
            {
                "source_table": "meant for",
                "reason": "reason",
                "records": "lines",
                "first_file": "first file",
                "first_line": "line",
            },
        )
    docs = settings.project_dir / "target" / "static_index.html"
    hint = f"open {docs}" if docs.exists() else "make docs writes target/static_index.html"
    console.print(f"Lineage and columns (dbt docs): {hint}", highlight=False)


def _print(console: Console, title: str, rows: Rows, columns: dict[str, str]) -> None:
    if not rows:
        console.print(f"[bold]{title}[/]\n  none\n", highlight=False)
        return
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for key, header in columns.items():
        table.add_column(header, justify="right" if _is_number(rows[0][key]) else "left")
    for row in rows:
        table.add_row(*(_cell(row[key]) for key in columns))
    console.print(table)
    console.print()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal)


def _cell(value: Any) -> Text:
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, datetime):
        return Text(f"{value:%Y-%m-%d %H:%M:%S}")
    if _is_number(value):
        return Text(f"{value:,}")
    return Text(str(value), style=_COLOURS.get(str(value), ""))
