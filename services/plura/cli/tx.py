"""``plura tx``: the transaction lookup service."""

from __future__ import annotations

from typing import Annotated

import typer

from plura.cli.console import say
from plura.cli.service_options import database, database_problems

app = typer.Typer(
    help="Any transaction by its id, seconds after it happened.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(short_help="Bring the schema bo of the database up to date.")
def migrate(
    ledger_partitions: Annotated[
        int | None,
        typer.Option(
            help="Spread the ledger over N hash partitions; it is locked while it is copied.", min=2, max=1024
        ),
    ] = None,
) -> None:
    """Bring the schema bo of the database up to date: tables, indexes, roles. Running it again changes nothing.

    Settings: PLURA_DATABASE_URL, PostgreSQL 14 or newer; unset: an embedded PostgreSQL under data/pg. The user has to
    own the database and have the right to create roles, unless bo_consumer, bo_api and bo_audit exist already and the
    user is a member of them.
    """
    from plura.kit.migrations import migrate as apply
    from plura.tx.db import SCHEMA, bo_migrations, partition_ledger

    target = database()
    with (
        database_problems(target),
        target.connect("plura-tx-migrate", db_statement_timeout_ms=0, db_lock_timeout_ms=0) as connection,
    ):
        applied = apply(connection, SCHEMA, bo_migrations())
        spread = ledger_partitions is not None and partition_ledger(connection, ledger_partitions)
    for migration in applied:
        say(f"applied {migration.number:04} {migration.name}")
    if spread:
        say(f"spread bo.ledger_entries over {ledger_partitions} partitions")
    say(f"schema {SCHEMA} of {target.where} is up to date")
