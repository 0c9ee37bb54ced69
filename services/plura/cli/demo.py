"""``plura demo``: the main job on embedded engines, with nothing to install."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from plura.cli.console import fail, out, progress_bar, say
from plura.cli.demo_lookup import look_up_one
from plura.cli.lake_report import print_report
from plura.kit.lake_settings import LakeSettings
from plura.kit.service_settings import read_settings
from python_jobs.warehouse import open_duckdb, refuse_name, warehouse_lock

FIRST_DAY = date(2026, 2, 1)
DAYS = 3
WALLETS = 500
ENTRIES = 12_000
FAULTS = (("missing_entry", 2), ("mint_without_backing", 3), ("bad_amount", 3))
"""Kind and day of each planted fault; the first day is 1."""


def demo(
    docs: Annotated[bool, typer.Option(help="Write the dbt docs as well.")] = True,
) -> None:
    """Take three generated days with planted faults from raw files to audited Gold, and look up one of their payments.

    Everything runs on embedded engines; data/demo holds it afterwards.
    """
    from python_jobs.generate import Fault, GenerateRequest, generate
    from python_jobs.load import load_folder
    from python_jobs.pipelines import RunRequest, parse_project, run_pipelines, write_docs
    from python_jobs.report import DuckDBReader, day_report
    from python_jobs.validate import Validator

    settings = read_settings(LakeSettings)
    room = settings.project_dir / "data" / "demo"
    warehouse, raw = room / "plura.duckdb", room / "raw"
    refuse_name(warehouse)
    shutil.rmtree(room, ignore_errors=True)
    faults = tuple(Fault(kind=kind, day=day) for kind, day in FAULTS)
    with progress_bar("1/5 generate") as advance:
        generate(
            GenerateRequest(
                out=raw, days=DAYS, wallets=WALLETS, entries=ENTRIES, seed=7, first_day=FIRST_DAY, faults=faults
            ),
            advance,
        )
    out.print(f"1/5 {DAYS} days of raw files with {len(faults)} planted faults: {_short(raw)}", highlight=False)
    with warehouse_lock(warehouse):
        validator = Validator(project_dir=settings.project_dir, docs_dir=room / "data_docs")
        with progress_bar("2/5 load") as advance:
            loaded = load_folder(
                project_dir=settings.project_dir,
                warehouse=warehouse,
                folder=raw,
                now=datetime.now(UTC),
                validator=validator,
                progress=advance,
            )
        rows = sum(file.rows for file in loaded.files)
        out.print(f"2/5 {rows:,} lines in Bronze, Data Docs: {_short(validator.index_page or room)}", highlight=False)
        manifest = parse_project(settings.project_dir, warehouse)
        request = RunRequest(
            project_dir=settings.project_dir,
            warehouse=warehouse,
            first_day=FIRST_DAY,
            last_day=FIRST_DAY + timedelta(days=DAYS - 1),
        )
        with progress_bar("3/5 run", counts=True) as advance:
            result = run_pipelines(request, progress=advance, manifest=manifest)
        for text in result.problems:
            fail(text)
        if not result.succeeded:
            raise typer.Exit(1)
        out.print(f"3/5 guardrail, Silver, controls and analytics in {result.seconds:.0f} s", highlight=False)
        if docs:
            write_docs(settings.project_dir, warehouse)
        with open_duckdb(warehouse, read_only=True) as connection:
            report = day_report(DuckDBReader(connection))
    out.print("4/5 the controls of the last day\n", highlight=False)
    print_report(out, report, settings)
    with progress_bar("5/5 look up") as advance:
        lookup = look_up_one(raw, room / "pg", advance)
    say(
        f"5/5 {lookup.events:,} events in PostgreSQL in {lookup.seconds:.1f} s, {lookup.failed} put aside;"
        f" any transaction by its id: GET {lookup.path}\n\n{json.dumps(lookup.answer, indent=2)}\n"
    )
    next_day = FIRST_DAY + timedelta(days=1)
    out.print(
        f"Planted faults and what they must raise: {_short(raw / 'truth.json')}\n"
        f"Go on: PLURA_DUCKDB_PATH={_short(warehouse)} .venv/bin/plura lake report --date {next_day}\n"
        f"and PLURA_PG_DIR={_short(room / 'pg')} PLURA_AUTH_MODE=disabled .venv/bin/plura tx api,"
        " then http://localhost:8000/console",
        highlight=False,
    )


def _short(path: Path) -> Path:
    """The path as the user would type it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
