"""``plura lake batches``, ``withdraw``, ``reinstate`` and ``replace``: list loaded files, and undo wrong ones."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from plura.cli.console import print_table, progress_bar, say, warn
from plura.cli.next_run import say_next_run
from plura.cli.options import Target, Validate, Wait, instant_of, lake_of, lake_settings, validator_of

Ids = Annotated[list[str], typer.Argument(help="Ids of batches, or their beginnings (plura lake batches).")]
Reason = Annotated[str, typer.Option(help="Reason, kept in the registry.")]


def batches(target: Target = None, wait: Wait = 0) -> None:
    """List the batches that were loaded, one file each, in the order of their arrival."""
    from rich.table import Table
    from rich.text import Text

    rows = [
        (
            batch.batch_id,
            batch.table_name,
            batch.source_file,
            f"{batch.row_count:,}",
            f"{batch.malformed_count:,}",
            batch.status,
            f"{batch.loaded_at:%Y-%m-%d %H:%M:%S}",
            batch.reason or "",
        )
        for batch in lake_of(lake_settings(target), wait).batches()
    ]
    if not rows:
        say("no batch was loaded yet: plura lake load DIR")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for header in ("batch", "table", "file", "lines", "malformed", "status", "loaded at (UTC)", "reason"):
        table.add_column(header, justify="right" if header in {"lines", "malformed"} else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    print_table(table)


def withdraw(batches: Ids, reason: Reason, target: Target = None, wait: Wait = 0) -> None:
    """Withdraw wrongly loaded batches: Silver no longer reads them, and the next run corrects Silver and Gold.

    The lines stay in Bronze; plura lake reinstate, or loading the file again, reinstates a batch. All batches or none.
    """
    _set_status(batches, "withdrawn", reason, target, wait)


def reinstate(batches: Ids, reason: Reason, target: Target = None, wait: Wait = 0) -> None:
    """Reinstate withdrawn batches, all or none; the next run reads them again."""
    _set_status(batches, "loaded", reason, target, wait)


def replace(
    batch: Annotated[str, typer.Argument(help="Id of a batch, or its beginning (plura lake batches).")],
    file: Annotated[Path, typer.Argument(help="File of JSON lines of the same table, plain or gzip.")],
    reason: Reason,
    extracted_at: Annotated[
        str | None,
        typer.Option(
            help="Extraction instant of lines that carry none, ISO-8601; without offset UTC; default: the batch's."
        ),
    ] = None,
    validate: Validate = True,
    target: Target = None,
    wait: Wait = 0,
) -> None:
    """Replace a batch with a corrected file: withdraw the batch and load the file, both or neither.

    The file needs all lines of the batch, including the correct ones; missing keys are reported. A file that was
    loaded before replaces the batch without being loaded again. After an interruption the same command continues.
    """
    settings = lake_settings(target)
    why = _checked(reason)
    with progress_bar("replace") as advance:
        report = lake_of(settings, wait).replace(
            batch,
            file,
            reason=why,
            now=datetime.now(UTC),
            extracted_at=instant_of(extracted_at, "--extracted-at") if extracted_at else None,
            validator=validator_of(settings, wanted=validate),
            progress=advance,
        )
    for text in report.warnings:
        warn(text)
    old, new = report.old, report.new
    if not report.is_new:
        say(f"batch {old.batch_id} ({old.table_name}, {old.source_file}) was already replaced by {new.batch_id}")
        return
    say(f"batch {old.batch_id} ({old.table_name}, {old.source_file}) is {old.status} now")
    say(f"batch {new.batch_id} ({new.table_name}, {new.source_file}) replaces it: {new.row_count:,} lines")
    say_next_run(report.days, target)


def _set_status(batches: list[str], status: str, reason: str, target: str | None, wait: float) -> None:
    lake = lake_of(lake_settings(target), wait)
    change = lake.set_status(batches, status, reason=_checked(reason), now=datetime.now(UTC))
    for batch in change.batches:
        say(f"batch {batch.batch_id} ({batch.table_name}, {batch.source_file}) is {batch.status} now")
    say_next_run(change.days, target)


def _checked(reason: str) -> str:
    """Return the reason without blanks around it.

    Raises:
        typer.BadParameter: it is blank.
    """
    if not reason.strip():
        raise typer.BadParameter("give a reason in a few words; it is kept in the registry", param_hint="--reason")
    return reason.strip()
