"""The transaction service in ``plura demo``: fill its PostgreSQL from raw files, and look up a transaction."""

from __future__ import annotations

import json
import logging
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plura.kit.errors import ServiceError
from python_jobs.progress import Progress

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.rows import TupleRow

    from plura.kit.database import Database

_BATCH = 2000
_START_SECONDS = 20
_COMPLETE = """
select payment_tx_id, payment_order_id, payer_wallet_id from bo.payment_ledger_pairs
where payment_tx_id is not null and receive_tx_id is not null and status is not null
order by payment_order_id limit 1
"""


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """Result of storing the events, and the response of a lookup."""

    events: int
    failed: int
    seconds: float
    """Duration of storing the events."""
    path: str
    answer: dict[str, Any]


def look_up_one(raw: Path, folder: Path, advance: Progress) -> Lookup:
    """Store the ledger and the orders of raw files in an embedded PostgreSQL in ``folder``, and look up a payment.

    Raises:
        ServiceError: the embedded PostgreSQL or the API does not start, or no payment has both sides.
    """
    from plura.kit.database import Database, DatabaseSettings
    from plura.kit.migrations import migrate
    from plura.tx.db import SCHEMA, bo_migrations

    target = Database(DatabaseSettings(database_url=None, db_sign_in="password", pg_dir=folder.absolute()))
    with target.connect("plura-demo") as connection:
        migrate(connection, SCHEMA, bo_migrations())
        started = time.monotonic()
        events, failed = _store(target, raw, advance)
        seconds = time.monotonic() - started
        tx_id, _, _ = complete_payment(connection)
    path = f"/admin/tx/{tx_id}"
    with admin_api(target) as url, urllib.request.urlopen(url + path, timeout=_START_SECONDS) as answered:  # noqa: S310  # ours
        answer = json.load(answered)
    return Lookup(events=events, failed=failed, seconds=seconds, path=path, answer=answer)


def complete_payment(connection: Connection[TupleRow]) -> tuple[str, str, str]:
    """Return the transaction, the order and the payer's wallet of a payment with order and both sides.

    Raises:
        ServiceError: no payment has both sides.
    """
    found = connection.execute(_COMPLETE).fetchone()
    if found is None:
        raise ServiceError("no payment of the raw files has both sides")
    tx_id, order_id, wallet_id = found
    return tx_id, order_id, wallet_id


def _store(database: Database, raw: Path, advance: Progress) -> tuple[int, int]:
    """Store all files; return the numbers of events and of bad events."""
    from plura.tx.consumer.backfill import Backfill
    from plura.tx.consumer.events import EventReader
    from plura.tx.consumer.ingest import Ingest
    from plura.tx.consumer.profiles import read_profile
    from plura.tx.consumer.store import PostgresStore
    from plura.tx.db import CONSUMER_ROLE

    with closing(PostgresStore(lambda: database.connect("plura-demo", CONSUMER_ROLE))) as store:
        reader = EventReader(read_profile("canonical-v1"))
        run = Backfill(
            ingest=Ingest(reader=reader, store=store, stopping=threading.Event()),
            connect=lambda: database.connect("plura-demo", CONSUMER_ROLE),
            selection="demo",
            most_events=_BATCH,
        )
        done = [
            run.run(file, kind, resume=False, advance=advance)
            for kind, table in (("ledger", "transaction_ledger_raw"), ("payment_order", "payment_orders_raw"))
            for file in sorted((raw / table).glob("*.jsonl"))
        ]
    return sum(summary.events for summary in done), sum(summary.failed for summary in done)


@contextmanager
def admin_api(database: Database) -> Iterator[str]:
    """Serve the admin API on loopback without authentication while the block runs; yield its address.

    Raises:
        ServiceError: it does not start.
    """
    from plura.kit.auth.settings import AuthSettings
    from plura.kit.http.server import listen, server
    from plura.kit.http.settings import ApiSettings
    from plura.tx.api.app import create_app

    log = logging.getLogger("plura")
    level = log.level
    log.setLevel(logging.ERROR)  # disabled authentication is intended here
    auth = AuthSettings(app_env="local", auth_mode="disabled")
    serving = server(create_app(ApiSettings(app_env="local"), auth, database))
    with closing(listen("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serving.run, kwargs={"sockets": [listening]}, name="api", daemon=True)
        thread.start()
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not serving.started:
                if not thread.is_alive() or time.monotonic() > deadline:
                    raise ServiceError("the admin API did not start")
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            serving.should_exit = True
            thread.join()
            log.setLevel(level)
