"""No command shows a part of the database's password, whatever is wrong with its address or its server."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from pydantic import SecretStr

from dev.servers.identity import provider
from plura.kit.database import Database, DatabaseSettings
from plura.kit.observability.logs import JsonFormatter
from tests.admin_api import auth_settings, running
from tests.commands import Plura
from tests.postgres import TestDatabase

SECRET = "qzx"
COMMANDS = {
    "migrate": ("tx", "migrate"),
    "backfill": ("tx", "backfill", "--ledger-file", "{file}"),
    "replay-dlq": ("tx", "replay-dlq"),
    "consume": ("tx", "consume"),
    "api": ("tx", "api", "--port", "0"),
}
TORN = (
    f"postgresql://bo:{SECRET}@{SECRET}@127.0.0.1:1/bo",
    f"postgresql://bo:{SECRET}/{SECRET}@127.0.0.1:1/bo",
    f"postgresql://bo:{SECRET}%{SECRET}@127.0.0.1:1/bo",
    f"postgresql://bo:{SECRET} {SECRET}@127.0.0.1:1/bo",
    f"postgresql://bo:12/{SECRET}@127.0.0.1:1/bo",
    f"host=127.0.0.1 port=1 user=bo password={SECRET} {SECRET}",
)
WHOLE = (
    f"postgresql://bo:{SECRET}%40%2F%25%20{SECRET}@127.0.0.1:1/bo",
    f"host=127.0.0.1 port=1 user=bo password='{SECRET}@/% {SECRET}' dbname=bo",
)


@pytest.fixture
def plura(tmp_path: Path) -> Plura:
    (tmp_path / "events.jsonl").write_text("{}\n")
    settings = {
        "PLURA_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "PLURA_AUTH_MODE": "disabled",
        "PLURA_METRICS_PORT": "0",
        "PLURA_DB_CONNECT_TIMEOUT": "2",
    }
    return Plura(work=tmp_path, settings=settings)


def run(plura: Plura, command: str, address: str) -> str:
    plura.settings["PLURA_DATABASE_URL"] = address
    outcome = plura(*(word.format(file=plura.work / "events.jsonl") for word in COMMANDS[command]))
    assert outcome.code == 1
    assert SECRET not in outcome.out + outcome.err
    return outcome.error


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("address", TORN)
def test_an_address_that_cannot_be_read_ends_every_command_with_a_hint(
    plura: Plura, command: str, address: str
) -> None:
    said = run(plura, command, address)
    assert said.startswith("PLURA_DATABASE_URL: ")
    assert "@ as %40" in said or "password='…'" in said


@pytest.mark.parametrize("command", ["migrate", "backfill", "replay-dlq"])
@pytest.mark.parametrize("address", WHOLE)
def test_a_server_that_does_not_answer_ends_commands_without_a_password(
    plura: Plura, command: str, address: str
) -> None:
    assert "127.0.0.1:1/bo" in run(plura, command, address)


@pytest.mark.parametrize("address", WHOLE)
def test_the_logs_of_the_api_hold_no_password(address: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    database = Database(DatabaseSettings(database_url=SecretStr(address)))
    with provider() as identity, running(_of(database), auth_settings(identity)) as api:
        assert api.get("/admin/tx/t").status_code == 503
        assert api.get("/readyz").status_code == 503
    formatter = JsonFormatter()
    lines = [formatter.format(record) for record in caplog.records]
    assert any("error connecting" in line for line in lines)
    assert SECRET not in "".join(lines)


def _of(database: Database) -> TestDatabase:
    """A database of a test that is reached through ``database``."""

    class Unreachable(TestDatabase):
        __test__ = False

        def client(self, **_: object) -> Database:
            return database

    return Unreachable(server=None, name="")  # type: ignore[arg-type]  # nothing is asked of it
