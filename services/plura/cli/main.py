"""Entry point of the command ``plura``."""

from __future__ import annotations

import sys

import typer

from plura.cli import demo, lake
from plura.cli.console import fail
from python_jobs.warehouse import LakeError

app = typer.Typer(
    help="Controls and analytics of a payment platform.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(lake.app, name="lake")
app.command()(demo.demo)


def main() -> None:
    """Run the command line; a problem the user can solve is one line and exit code 1."""
    try:
        app()
    except LakeError as error:
        fail(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        fail("interrupted; the next run goes on from what was finished")
        sys.exit(130)


if __name__ == "__main__":
    main()
