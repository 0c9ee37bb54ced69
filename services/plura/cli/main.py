"""Entry point of the command ``plura``."""

from __future__ import annotations

import os
import sys

import typer

from plura.cli import demo, lake, lake_batches, lake_publish, lake_stream, tx, tx_api, tx_consumer
from plura.cli.console import fail, say, warn
from plura.kit.known_settings import unknown_settings
from python_jobs.environment import environment_name
from python_jobs.errors import PluraError

app = typer.Typer(
    help="Controls and analytics of a payment platform.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
lake.app.command(short_help="List the batches that were loaded.")(lake_batches.batches)
lake.app.command(short_help="Withdraw wrongly loaded batches.")(lake_batches.withdraw)
lake.app.command(short_help="Reinstate withdrawn batches.")(lake_batches.reinstate)
lake.app.command(short_help="Replace a batch with a corrected file.")(lake_batches.replace)
lake.app.command(short_help="Send CRITICAL exceptions to the EventHub.")(lake_publish.publish)
lake.app.command(short_help="Stream Kafka topics into Bronze on Delta Lake.")(lake_stream.stream)
tx.app.command(short_help="Store the events of the Kafka topics.")(tx_consumer.consume)
tx.app.command(short_help="Store the events of files.")(tx_consumer.backfill)
tx.app.command(short_help="Replay bad events.")(tx_consumer.replay_dlq)
tx.app.command(short_help="Serve the admin API.")(tx_api.api)
app.add_typer(lake.app, name="lake", short_help="The lake: raw files to audited Gold.")
app.add_typer(tx.app, name="tx", short_help="The transaction lookup: any transaction by its id.")
app.command(short_help="Show lake and lookup on three generated days.")(demo.demo)


INTERRUPTED = 130


def main() -> None:
    """Run the command line; a problem that the user can solve is one line on stderr.

    Exit codes: 0 done, 1 a problem with data, files or the warehouse, 2 wrong use of the command, 130 interrupted.
    """
    try:
        if "--help" not in sys.argv:
            _check_environment()
        code = app(prog_name="plura", standalone_mode=False)
    except PluraError as error:
        code = 1
        fail(str(error))
    except typer.TyperException as error:
        code = error.exit_code
        _fail_usage(error)
    except OSError as error:
        code = 1
        fail(f"{error.filename or 'input or output'}: {error.strerror or error}")
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:
        fail("interrupted: nothing is half-written, the next run continues from what was finished")
    sys.exit(code or 0)


def _check_environment() -> None:
    """Warn about variables that are not settings.

    Raises:
        PluraError: ``PLURA_ENV`` is not the name of an environment.
    """
    for text in unknown_settings(os.environ):
        warn(text)
    try:
        environment_name()
    except ValueError as error:
        raise PluraError(str(error)) from None


def _fail_usage(error: typer.TyperException) -> None:
    """Print what is wrong with the arguments; for a group without a command print its help."""
    text = error.format_message()
    if text.startswith("Usage:"):
        say(text)
        return
    context = getattr(error, "ctx", None)
    hint = f" (see {context.command_path} --help)" if context else ""
    fail(text.rstrip(".") + hint)


if __name__ == "__main__":
    main()
