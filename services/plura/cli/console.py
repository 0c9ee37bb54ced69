"""Output of all commands: results on stdout, progress and problems on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from python_jobs.progress import Progress as Report

if TYPE_CHECKING:
    from rich.table import Table

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)

_LONGEST_PIECE = 32
"""Characters of a piece's name beside the bar, so that a line of 80 holds both."""


@contextmanager
def progress_bar(title: str, *, counts: bool = False) -> Iterator[Report]:
    """Show a bar while the block runs, if stderr is a terminal; ``counts`` shows numbers of pieces instead of per cent.

    The bar is gone afterwards, so that stderr holds warnings and errors only.
    """
    columns = [
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn() if counts else TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[piece]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
    ]
    bar = Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
    task = bar.add_task(title, total=None, piece="")

    def advance(done: int, total: int, piece: str) -> None:
        shown = piece if len(piece) <= _LONGEST_PIECE else f"{piece[:_LONGEST_PIECE]}…"
        bar.update(task, completed=done, total=total, piece=shown)
        bar.start()  # not before: a Spark session that is being started has stderr for itself

    try:
        yield advance
    finally:
        bar.stop()


def say(text: str) -> None:
    """Print a line of the outcome as it is."""
    out.print(text, markup=False, highlight=False)


def print_table(table: Table) -> None:
    """Print a table in full width, whatever the width of the terminal: ids and paths are there to be copied."""
    widest = Measurement.get(out, out.options.update(max_width=10_000), table).maximum
    Console(width=max(widest, out.width), soft_wrap=True).print(table)


def warn(text: str) -> None:
    """Print a warning line."""
    err.print(f"[yellow]warning:[/] {_plain(text)}", highlight=False)


def fail(text: str) -> None:
    """Print an error line."""
    err.print(f"[red]error:[/] {_plain(text)}", highlight=False)


def _plain(text: str) -> str:
    """Text in which brackets are no markup."""
    return " ".join(text.split()).replace("[", r"\[")
