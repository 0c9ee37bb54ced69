"""Draws the pictures of the docs: lineage, report of a day, pages of the console.

The lineage comes from dbt's manifest, the report from the demo's warehouse, the pages from the demo's transactions, as
a Chromium shows them. ``make pictures`` runs it after ``make demo``.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

from networkx import DiGraph, transitive_reduction
from playwright.sync_api import sync_playwright
from rich.console import Console

from plura.cli.demo_lookup import admin_api, complete_payment
from plura.cli.lake_report import print_report
from plura.kit.database import Database, DatabaseSettings
from plura.kit.lake_settings import LakeSettings
from python_jobs.report import DuckDBReader, day_report
from python_jobs.warehouse import open_duckdb

HERE = Path(__file__).parent
WIDTH, HEIGHT, GAP = 218, 30, 12

# column, heading, colour, nodes from top to bottom
COLUMNS: list[tuple[str, list[tuple[str, str, list[str]]]]] = [
    (
        "Bronze",
        [
            (
                "raw lines as they came",
                "#b4793b",
                [
                    "user_wallets_raw",
                    "transaction_ledger_raw",
                    "payment_orders_raw",
                    "orders_raw",
                    "order_items_raw",
                    "products_raw",
                ],
            )
        ],
    ),
    (
        "Silver",
        [
            ("A guardrail", "#a23b72", ["dq_status"]),
            (
                "cleaned, latest valid version",
                "#5b7083",
                ["wallet_snapshot", "ledger_entries", "order_events", "order_items", "products", "bad_records"],
            ),
        ],
    ),
    (
        "Gold",
        [
            (
                "B controls",
                "#2f7d5b",
                [
                    "recon_daily_snapshot_flow",
                    "ledger_supply_balance_daily",
                    "ops_payment_failure_daily",
                    "ops_payment_refund_daily",
                    "ops_ledger_pairing_quality_daily",
                    "admin_tx_search",
                ],
            ),
            ("A, B findings", "#a23b72", ["exception_ledger"]),
            ("C analytics", "#3b62a2", ["fact_payment_anonymized"]),
        ],
    ),
    ("Readers", [("exposures", "#666666", [])]),
]


def draw_lineage(manifest: dict[str, Any]) -> str:
    """Return the lineage between the contract tables as SVG; steps in between are left out."""
    exposures = sorted(exposure["name"] for exposure in manifest["exposures"].values())
    placed: dict[str, tuple[int, int, str]] = {}
    parts: list[str] = []
    bottom = 0
    for number, (title, groups) in enumerate(COLUMNS):
        x, y = 20 + number * (WIDTH + 110), 30
        parts.append(f'<text x="{x}" y="{y}" class="title">{title}</text>')
        for heading, colour, names in groups:
            y += 28
            parts.append(f'<text x="{x}" y="{y}" class="heading">{heading}</text>')
            y += 10
            for name in names or exposures:
                placed[name] = (x, y, colour)
                y += HEIGHT + GAP
        bottom = max(bottom, y)
    boxes = [
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="5" fill="{colour}"/>'
        f'<text x="{x + WIDTH / 2}" y="{y + 19}" class="box">{escape(name)}</text>'
        for name, (x, y, colour) in placed.items()
    ]
    lines = [_line(placed[start], placed[end]) for start, end in sorted(edges(manifest, set(placed)))]
    width = 40 + len(COLUMNS) * (WIDTH + 110) - 110
    style = (
        "text{font-family:sans-serif}.title{font-size:18px;font-weight:bold}.heading{font-size:12px;fill:#666}"
        ".box{font-size:12px;fill:#fff;text-anchor:middle}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom + 10}" width="{width}">'
        f'<style>{style}</style><rect width="100%" height="100%" fill="#fff"/>'
        + "".join([*parts, *lines, *boxes])
        + "</svg>\n"
    )


def edges(manifest: dict[str, Any], shown: set[str]) -> set[tuple[str, str]]:
    """Return pairs of shown nodes of which the second reads the first, directly or through steps in between.

    A step that writes a table by a hook (meta.writes) is a parent of the table. What only steers a run (meta.steers:
    which days and arrivals it looks at) is no lineage of the data. A pair that other pairs imply is left out.
    """
    nodes = {**manifest["nodes"], **manifest["sources"], **manifest["exposures"]}
    metas = {key: node.get("config", {}).get("meta", {}) for key, node in nodes.items()}
    parents = {key: list(node.get("depends_on", {}).get("nodes", [])) for key, node in nodes.items()}
    for key, meta in metas.items():
        for table in meta.get("writes", ()):
            parents[f"model.plura.{table}"].append(key)
    found: set[tuple[str, str]] = set()
    for key, node in nodes.items():
        if node["name"] not in shown:
            continue
        waiting, seen = list(parents[key]), {key}
        while waiting:
            parent = waiting.pop()
            if parent in seen or metas[parent].get("steers"):
                continue
            seen.add(parent)
            if nodes[parent]["name"] in shown:
                found.add((nodes[parent]["name"], node["name"]))
            else:
                waiting += parents[parent]
    return set(transitive_reduction(DiGraph(found)).edges)


def _line(start: tuple[int, int, str], end: tuple[int, int, str]) -> str:
    x1, y1, colour = start[0] + WIDTH, start[1] + HEIGHT / 2, start[2]
    x2, y2 = end[0], end[1] + HEIGHT / 2
    if x2 < x1:  # within a column, around its left side
        x1 = start[0]
        path = f"M{x1},{y1} C{x1 - 45},{y1} {x2 - 45},{y2} {x2},{y2}"
    else:
        path = f"M{x1},{y1} C{x1 + 60},{y1} {x2 - 60},{y2} {x2},{y2}"
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.6" opacity="0.55"/>'


def draw_report(day: date, settings: LakeSettings) -> str:
    """Return the report of a day of the demo as SVG."""
    console = Console(record=True, width=104, file=io.StringIO(), force_terminal=True)
    with open_duckdb(settings.project_dir / "data" / "demo" / "plura.duckdb", read_only=True) as connection:
        print_report(
            console, day_report(DuckDBReader(connection), day), settings.model_copy(update={"project_dir": Path()})
        )
    lines = console.export_svg(title=f"plura lake report --date {day}").splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def shoot_console(folder: Path) -> dict[str, bytes]:
    """Return pages of the console over the PostgreSQL in ``folder`` as PNG.

    A payment order and the payer's wallet in a wide window, and the order on a phone, in the dark and in Korean.
    """
    there = Database(DatabaseSettings(database_url=None, pg_dir=folder))
    with there.connect("plura-pictures") as connection:
        _, order_id, wallet_id = complete_payment(connection)
    looks: dict[str, tuple[str, dict[str, Any]]] = {
        "console-order.png": (
            f"/console/payment-orders/{order_id}",
            {"viewport": {"width": 1120, "height": 620}, "locale": "en-US"},
        ),
        "console-wallet.png": (
            f"/console/wallets/{wallet_id}",
            {"viewport": {"width": 1120, "height": 620}, "locale": "en-US"},
        ),
        "console-phone.png": (
            f"/console/payment-orders/{order_id}",
            {"viewport": {"width": 390, "height": 760}, "locale": "ko-KR", "color_scheme": "dark"},
        ),
    }
    with admin_api(there) as url, sync_playwright() as playwright:
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        found = {}
        for name, (path, look) in looks.items():
            page = browser.new_page(**look, extra_http_headers={"X-Actor-Id": "j.kim"})
            page.goto(url + path)
            found[name] = page.screenshot()
        browser.close()
    return found


def main() -> None:
    """Write all pictures beside this file."""
    settings = LakeSettings()
    manifest = json.loads((settings.project_dir / "target" / "manifest.json").read_text(encoding="utf-8"))
    (HERE / "lineage.svg").write_text(draw_lineage(manifest), encoding="utf-8")
    (HERE / "report.svg").write_text(draw_report(date(2026, 2, 3), settings), encoding="utf-8")
    for name, content in shoot_console(settings.project_dir / "data" / "demo" / "pg").items():
        (HERE / name).write_bytes(content)


if __name__ == "__main__":
    main()
