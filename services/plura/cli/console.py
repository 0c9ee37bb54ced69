"""What every command prints with: results on stdout, progress and problems on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)

Advance = Callable[[int, int, str], None]
"""Called with what is done, what there is in all, and the name of the piece at hand."""


@contextmanager
def progress_bar(title: str, *, counts: bool = False) -> Iterator[Advance]:
    """Show a bar on stderr while the block runs; ``counts`` shows numbers of pieces instead of per cent."""
    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn() if counts else TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[piece]}"),
    ]
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(title, total=None, piece="")

        def advance(done: int, total: int, piece: str) -> None:
            bar.update(task, completed=done, total=total, piece=piece)

        yield advance


def warn(text: str) -> None:
    """Print a warning line."""
    err.print(f"[yellow]warning:[/] {_plain(text)}", highlight=False)


def fail(text: str) -> None:
    """Print an error line."""
    err.print(f"[red]error:[/] {_plain(text)}", highlight=False)


def _plain(text: str) -> str:
    """Text in which brackets are no markup."""
    return " ".join(text.split()).replace("[", r"\[")
