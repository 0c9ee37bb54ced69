"""``plura lake``: generate, load, run, report, schema and retention."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from plura.cli.console import fail, out, progress_bar, say, warn
from plura.cli.next_run import LONGEST_RANGE_DAYS, say_next, say_next_run
from plura.cli.options import Target, Validate, Wait, instant_of, lake_of, lake_settings, validator_of
from python_jobs.instants import kst_day
from python_jobs.warehouse import LakeError

app = typer.Typer(
    help="""The lake: raw files to audited Gold.

    Settings are environment variables: PLURA_DUCKDB_PATH names the warehouse (default data/plura.duckdb), PLURA_TARGET
    the dbt target, PLURA_ENV the environment (local, dev or prod), PLURA_DATA_DOCS_DIR the folder of Data Docs,
    PLURA_PROJECT_DIR the dbt project, and PLURA_SPARK_WAREHOUSE the folder of target spark (default data/spark). Exit
    codes: 0 done, 1 a problem with data, files, settings or the warehouse, 2 wrong arguments, 130 interrupted.""",
    no_args_is_help=True,
)


@app.command(short_help="Write realistic raw files, with planted faults if wanted.")
def generate(
    out_dir: Annotated[Path, typer.Option("--out", help="Folder to write; must be empty or not exist yet.")],
    days: Annotated[int, typer.Option(help="KST days to write.", min=1, max=3660)] = 3,
    wallets: Annotated[int, typer.Option(help="Wallets: treasury, merchants, customers.", min=3)] = 2000,
    entries: Annotated[int, typer.Option(help="Ledger entries over all days.", min=10)] = 50_000,
    faults: Annotated[Path | None, typer.Option(help="JSON or YAML list of faults to plant: {kind, day, …}.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
    first_day: Annotated[str, typer.Option(help="First KST day, YYYY-MM-DD.")] = "2026-02-01",
) -> None:
    """Write realistic Bronze JSON lines, one folder per table, and truth.json with the findings to expect."""
    from python_jobs.generate import GenerateRequest, read_faults
    from python_jobs.generate import generate as write

    request = GenerateRequest(
        out=out_dir,
        days=days,
        wallets=wallets,
        entries=entries,
        seed=seed,
        first_day=_day(first_day, "--first-day"),
        faults=read_faults(faults) if faults else (),
    )
    with progress_bar("generate") as advance:
        report = write(request, advance)
    counted = ", ".join(f"{count:,} {table}" for table, count in report.rows.items())
    say(f"{out_dir}: {report.files} files, {days} days: {counted}; {len(request.faults)} planted faults")
    say(f"next: plura lake load {out_dir}")


@app.command(short_help="Load a folder of JSON lines into Bronze.")
def load(
    folder: Annotated[Path, typer.Argument(help="Folder with <table>/*.jsonl or <source>.jsonl, plain or gzip.")],
    extracted_at: Annotated[
        str | None, typer.Option(help="Extraction instant of lines that carry none, ISO-8601; without offset UTC.")
    ] = None,
    validate: Validate = True,
    target: Target = None,
    wait: Wait = 0,
) -> None:
    """Load a folder of JSON lines into Bronze; a file that was loaded before changes nothing.

    Files lie in a folder named by their table or source, or are named after the source: transaction_ledger/day.jsonl or
    transaction_ledger.jsonl. Sources are user_wallets, transaction_ledger, payment_orders, orders, order_items and
    products (plura lake schema SOURCE lists their keys). Hidden files are skipped; files with other names are reported
    with the name that they should have.

    A file is loaded whole or not at all; one that does not fit its table is refused, the others are loaded. Lines that
    are not JSON objects are kept in bronze.malformed_lines with their line numbers. Keys that an earlier batch has with
    other values are reported: plura lake replace BATCH FILE corrects a batch.
    """
    settings = lake_settings(target)
    instant = instant_of(extracted_at, "--extracted-at") if extracted_at else None
    with progress_bar("load") as advance:
        report = lake_of(settings, wait).load(
            folder,
            now=datetime.now(UTC),
            extracted_at=instant,
            validator=validator_of(settings, wanted=validate),
            progress=advance,
        )
    for text in report.warnings:
        warn(text)
    for text in report.problems:
        fail(text)
    rows = sum(file.rows for file in report.files if file.outcome == "loaded")
    words = {"unchanged": "loaded before", "replaced": "replaced before"}
    outcomes = ("loaded", "unchanged", "reinstated", "replaced", "empty", "refused")
    counts = ", ".join(f"{report.count(key)} {words.get(key, key)}" for key in outcomes if report.count(key))
    say(f"{folder}: {rows:,} lines; files: {counts}")
    if report.data_docs:
        say(f"Data Docs of the batches: {report.data_docs}")
    if report.changed:
        say_next_run(report.days, target)
    if report.problems:
        raise typer.Exit(1)


@app.command(short_help="Run the pipelines for KST days.")
def run(
    day: Annotated[str | None, typer.Option("--date", help="One KST day, YYYY-MM-DD; or --from and --to.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First KST day of a range, YYYY-MM-DD.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last KST day of a range, inclusive.")] = None,
    pipeline: Annotated[
        str, typer.Option(help="Pipelines to run, comma separated.")
    ] = "guardrail,silver,controls,analytics",
    watch: Annotated[
        bool,
        typer.Option("--watch", help="For schedules: expect data up to now, so that a silent source raises an alarm."),
    ] = False,
    target: Target = None,
    as_of: Annotated[str | None, typer.Option(help="Instant of the run, ISO-8601; default: now.")] = None,
    run_id: Annotated[str | None, typer.Option(help="Id written on every row; default: a new one.")] = None,
    wait: Wait = 0,
) -> None:
    """Run the pipelines for KST days; without days, for every closed day that is not computed or is due again.

    A KST day is a calendar day in Korea and can be computed once it is over. Without --watch the last day is the last
    one with data: old files raise no alarm for the time since. With it the guardrail also writes a row for every day up
    to yesterday and for every ten minutes of the running day. Runs of named days are backfills and cannot watch.

    One line is printed for each problem, and the exit code is 0 only if everything succeeded. After an interruption or
    a failure, run it again: it continues from what was finished.
    """
    from python_jobs.pipeline_names import PIPELINES
    from python_jobs.pipelines import RunRequest, new_run_id

    settings = lake_settings(target)
    now = instant_of(as_of, "--as-of") if as_of else datetime.now(UTC)
    first_day, last_day = _days(day, first, last, now)
    if watch and first_day:
        raise typer.BadParameter(
            "not together with --date, --from or --to: a backfill does not watch", param_hint="--watch"
        )
    names = tuple(name.strip() for name in pipeline.split(",") if name.strip())
    unknown = [name for name in names if name not in PIPELINES]
    if unknown or not names:
        raise typer.BadParameter(
            f"unknown pipeline {', '.join(unknown) or pipeline!r}: choose among {', '.join(PIPELINES)}",
            param_hint="--pipeline",
        )
    lake = lake_of(settings, wait)
    request = RunRequest(
        project_dir=settings.project_dir,
        warehouse=lake.warehouse,
        target=settings.target,
        pipelines=names,
        first_day=first_day,
        last_day=last_day,
        watch=watch,
        as_of=now,
        run_id=run_id or new_run_id(now),
    )
    with progress_bar("run", counts=True) as advance:
        result = lake.run(request, progress=advance)
    for text in result.problems:
        fail(text)
    outcome = "succeeded" if result.succeeded else "failed"
    say(f"run {result.run_id} of {', '.join(names)} {outcome} in {result.seconds:.1f} s")
    for text in result.summary:
        say(text)
    if not result.succeeded:
        raise typer.Exit(1)
    say_next("report", target)


@app.command(short_help="Print the controls of a day.")
def report(
    day: Annotated[str | None, typer.Option("--date", help="KST day; default: the latest one computed.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="List all rows, not only the first ten of each list.")
    ] = False,
    target: Target = None,
    wait: Wait = 0,
) -> None:
    """Print the controls of a day: supply, reconciliation, payments, exceptions, data quality, state of pipelines."""
    from plura.cli.lake_report import print_report
    from python_jobs.report import LISTED, day_report

    settings = lake_settings(target)
    wanted = _day(day, "--date") if day else None
    with lake_of(settings, wait).read() as reader:
        print_report(out, day_report(reader, wanted, listed=None if everything else LISTED), settings)


@app.command(short_help="Print the JSON Schema of a source's lines.")
def schema(
    source: Annotated[str, typer.Argument(help="Source or its Bronze table, for example transaction_ledger.")],
) -> None:
    """Print the JSON Schema of one line of a source's files, for their writers."""
    import json

    from python_jobs.contracts import json_schema, read_contracts

    tables = [table for table in read_contracts(lake_settings(None).project_dir).values() if table.source]
    for table in tables:
        if source in {table.name, table.source}:
            say(json.dumps(json_schema(table), indent=2, ensure_ascii=False))
            return
    names = ", ".join(str(table.source) for table in tables)
    raise typer.BadParameter(f"unknown source {source!r}: choose among {names}", param_hint="SOURCE")


@app.command(short_help="Remove rows past their retention.")
def retention(
    apply: Annotated[bool, typer.Option("--apply", help="Remove the rows; without it they are only counted.")] = False,
    bad_records_days: Annotated[int, typer.Option(help="Days of silver.bad_records to keep.", min=1)] = 180,
    dq_status_days: Annotated[int, typer.Option(help="Days of silver.dq_status to keep.", min=1)] = 400,
    target: Target = None,
    wait: Wait = 0,
) -> None:
    """Remove quarantined lines and data quality rows past their retention; a dry run unless --apply is given.

    Removed rows never return. The tag that suppresses the verdicts of a day is kept.
    """
    removed = lake_of(lake_settings(target), wait).retention(
        now=datetime.now(UTC),
        apply=apply,
        bad_records_days=bad_records_days,
        dq_status_days=dq_status_days,
    )
    verb = "removed" if apply else "would be removed (dry run; --apply removes them)"
    say(
        f"silver.bad_records before {removed.bad_records_from}: {removed.bad_records:,} rows;"
        f" silver.dq_status before {removed.dq_status_from}: {removed.dq_status:,} rows {verb}"
    )


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date: write it as YYYY-MM-DD", param_hint=option) from None


def _days(day: str | None, first: str | None, last: str | None, now: datetime) -> tuple[date | None, date | None]:
    """The requested days; None for all days that are due."""
    if day and (first or last):
        raise typer.BadParameter("give either --date or --from and --to", param_hint="--date")
    if bool(first) != bool(last):
        raise typer.BadParameter("--from and --to go together", param_hint="--from")
    if not (day or first):
        return None, None
    first_day = _day(day or first or "", "--date" if day else "--from")
    last_day = _day(day or last or "", "--date" if day else "--to")
    if last_day < first_day:
        raise typer.BadParameter(f"{last_day} lies before {first_day}", param_hint="--to")
    if last_day - first_day > timedelta(days=LONGEST_RANGE_DAYS):
        raise typer.BadParameter(f"more than {LONGEST_RANGE_DAYS} days; split the range", param_hint="--from")
    today = kst_day(now)
    if last_day >= today:
        raise LakeError(
            f"the KST day {last_day} is still open: it can be computed from {last_day + timedelta(days=1)} 00:00 KST on"
        )
    return first_day, last_day
