"""Sign-in with tokens, to PostgreSQL and to Kafka, and the two names of Kafka's settings."""

from __future__ import annotations

import sys
import tomllib
from types import ModuleType, SimpleNamespace

import pytest
from pydantic import SecretStr

from plura.kit.database import Database, DatabaseSettings
from plura.kit.errors import ServiceError
from plura.kit.kafka import KafkaSettings
from plura.kit.lake_settings import PROJECT_DIR

URL = SecretStr("postgresql://bo@server.postgres.database.azure.com/bo")


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A stand-in for the package that gets tokens; remembers the scopes it was asked for."""
    scopes: list[str] = []

    class Credential:
        def get_token(self, scope: str) -> SimpleNamespace:
            scopes.append(scope)
            return SimpleNamespace(token=f"token {len(scopes)}")

    identity = ModuleType("azure.identity")
    identity.DefaultAzureCredential = Credential  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "azure", ModuleType("azure"))
    monkeypatch.setitem(sys.modules, "azure.identity", identity)
    return scopes


def test_each_connection_gets_a_token_as_its_password(azure: list[str]) -> None:
    database = Database(DatabaseSettings(database_url=URL, db_sign_in="azure"))
    assert [database._arguments("test", {})["password"] for _ in range(2)] == ["token 1", "token 2"]
    assert azure == ["https://ossrdbms-aad.database.windows.net/.default"] * 2
    assert "password" not in Database(DatabaseSettings(database_url=URL))._arguments("test", {})


@pytest.mark.filterwarnings("ignore:(read|open)_text is deprecated")  # kafka-python reads its own files in an old way
def test_kafka_clients_get_tokens_for_their_namespace(azure: list[str]) -> None:
    settings = KafkaSettings(
        bootstrap="hub.servicebus.windows.net:9093", security_protocol="SASL_SSL", sasl_mechanism="OAUTHBEARER"
    )
    options = settings.client_options()
    assert options["sasl_mechanism"] == "OAUTHBEARER"
    assert options["sasl_oauth_token_provider"].token() == "token 1"
    assert azure == ["https://hub.servicebus.windows.net/.default"]
    with pytest.raises(ServiceError, match="SCRAM"):
        settings.spark_options()


def test_without_the_package_the_start_fails_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure", None)
    with pytest.raises(ServiceError, match="azure-identity: install plura with its extra azure"):
        Database(DatabaseSettings(database_url=URL, db_sign_in="azure"))


def test_the_package_has_an_extra_that_brings_it() -> None:
    extras = tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert [requirement.partition(">")[0] for requirement in extras["azure"]] == ["azure-identity"]


def test_kafka_settings_have_bare_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BROKERS", "a:1, b:2")
    monkeypatch.setenv("PLURA_KAFKA_SECURITY_PROTOCOL", "SSL")
    settings = KafkaSettings()
    assert settings.client_options()["bootstrap_servers"] == ["a:1", "b:2"]
    assert settings.security_protocol == "SSL"
    monkeypatch.setenv("PLURA_KAFKA_BOOTSTRAP", "c:3")
    with pytest.raises(ValueError, match="PLURA_KAFKA_BOOTSTRAP and KAFKA_BROKERS differ"):
        KafkaSettings()
