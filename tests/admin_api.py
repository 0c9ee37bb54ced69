"""The admin API as it runs: its server in a thread, on a real PostgreSQL, with tokens of the test provider."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI

from dev.servers.identity import AUDIENCE, ISSUER, Provider, token
from plura.kit.auth.settings import AuthSettings
from plura.kit.auth.sign_in import SignInSettings
from plura.kit.http.server import listen, server
from plura.kit.http.settings import ApiSettings
from plura.tx.api.app import create_app
from tests.postgres import TestDatabase

EPOCH = datetime(2026, 2, 5, 3, 0, tzinfo=UTC)


@dataclass(kw_only=True)
class AdminApi:
    """A running API. ``get`` carries a good token by default."""

    app: FastAPI
    url: str
    database: TestDatabase
    client: httpx.Client = field(repr=False)

    def get(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        bearer: str | None = "",
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Ask; ``bearer`` None sends no token, an empty one the usual token."""
        usual = {} if bearer is None else {"Authorization": f"Bearer {bearer or token()}"}
        return self.client.get(path, params=params, headers={**usual, **(headers or {})})

    def audit(self) -> list[dict[str, Any]]:
        """All audit rows in order."""
        columns = (
            "action, resource_type, resource_id, result, status_code, result_count, actor_id, actor_roles,"
            " request_method, request_path, request_query, ip, user_agent, correlation_id, occurrences, duration_ms"
        )
        rows = self.database.sql(f"select {columns} from bo.admin_audit_logs order by audit_id")
        return [dict(zip(columns.replace(" ", "").split(","), row, strict=True)) for row in rows]


def auth_settings(provider: Provider, **changed: Any) -> AuthSettings:
    usual = {"auth_issuer": ISSUER, "auth_audience": AUDIENCE, "auth_jwks_url": provider.jwks_url}
    return AuthSettings(**(usual | changed))


def sign_in_settings(provider: Provider, url: str, **changed: Any) -> SignInSettings:
    usual = {
        "console_client_id": "console",
        "console_authorize_url": f"{provider.url}/authorize",
        "console_token_url": f"{provider.url}/token",
        "console_url": url,
        "console_session_key": "k" * 32,
    }
    return SignInSettings(**(usual | changed))


@contextmanager
def running(
    database: TestDatabase,
    auth: AuthSettings,
    *,
    settings: ApiSettings | None = None,
    signed_in_by: Provider | None = None,
    **database_settings: Any,
) -> Iterator[AdminApi]:
    """Serve until the block ends; ``signed_in_by`` signs people in to the console."""
    listening = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    sign_in = None if signed_in_by is None else sign_in_settings(signed_in_by, url)
    app = create_app(settings or ApiSettings(), auth, database.client(**database_settings), sign_in)
    serving = server(app)
    thread = threading.Thread(target=serving.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not serving.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < deadline, "the server did not start in time"
        time.sleep(0.01)
    try:
        with httpx.Client(base_url=url, timeout=20) as client:
            yield AdminApi(app=app, url=url, database=database, client=client)
    finally:
        serving.should_exit = True
        thread.join(20)
        listening.close()
        assert not thread.is_alive()


# Rows


def ledger(database: TestDatabase, tx_id: str, **changed: Any) -> None:
    """Insert a ledger entry; a payment of the wallet w-1 by default."""
    usual: dict[str, Any] = {
        "tx_id": tx_id,
        "wallet_id": "w-1",
        "entry_type": "PAYMENT",
        "amount": "10.00",
        "amount_signed": "-10.00",
        "related_id": None,
        "related_type": None,
        "event_time": EPOCH,
        "created_at": EPOCH,
        "updated_at": None,
        "ingested_at": EPOCH + timedelta(seconds=3),
        "row_digest": bytes(16),
    }
    _insert(database, "ledger_entries", usual | changed)


def order(database: TestDatabase, order_id: str, **changed: Any) -> None:
    """Insert a payment order."""
    usual: dict[str, Any] = {
        "order_id": order_id,
        "user_id": "u-1",
        "merchant_name": "Haneul Coffee",
        "amount": "10.00",
        "status": "SETTLED",
        "created_at": EPOCH,
        "row_digest": bytes(16),
    }
    _insert(database, "payment_orders", usual | changed)


def pair(database: TestDatabase, order_id: str, **changed: Any) -> None:
    """Insert the pair of a payment order."""
    _insert(database, "payment_ledger_pairs", {"payment_order_id": order_id} | changed)


def payment(database: TestDatabase, order_id: str = "po-1") -> None:
    """Insert a complete payment of 10 from w-payer to w-payee."""
    order(database, order_id)
    ledger(database, f"{order_id}-pay", wallet_id="w-payer", related_id=order_id, related_type="PAYMENT_ORDER")
    ledger(
        database,
        f"{order_id}-rcv",
        wallet_id="w-payee",
        entry_type="RECEIVE",
        amount_signed="10.00",
        related_id=order_id,
        related_type="PAYMENT_ORDER",
    )
    pair(
        database,
        order_id,
        payment_tx_id=f"{order_id}-pay",
        receive_tx_id=f"{order_id}-rcv",
        payer_wallet_id="w-payer",
        payee_wallet_id="w-payee",
        amount="10.00",
        status="SETTLED",
        event_time=EPOCH,
    )


def _insert(database: TestDatabase, table: str, row: Mapping[str, Any]) -> None:
    names, values = ", ".join(row), ", ".join(["%s"] * len(row))
    parameters: Sequence[Any] = list(row.values())
    database.sql(f"insert into bo.{table} ({names}) values ({values})", parameters)
