"""The local endpoint as the real databricks-sql-connector and databricks-sdk see it."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from databricks import sql

from tests.databricks.dialect import RECORDED
from tests.databricks.endpoint import HOST, HTTP_PATH, Endpoint, running_endpoint
from tests.databricks.jobs import SERVICE_PRINCIPAL
from tests.spark import skip_or_fail

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TOKEN, SECRET = "local-token", "local-secret"


@pytest.fixture(scope="module")
def endpoint(spark_session: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    try:
        running = running_endpoint(spark_session, tmp_path_factory.mktemp("endpoint"), token=TOKEN, secret=SECRET)
        with running as endpoint, mock.patch.dict(os.environ, endpoint.environment):
            yield endpoint
    except OSError as error:
        skip_or_fail(f"port 443 of localhost cannot be had: {error}")


@pytest.fixture
def cursor(endpoint: Endpoint) -> Iterator[Any]:
    with _connect(endpoint, TOKEN) as connection, connection.cursor() as cursor:
        yield cursor


def _connect(endpoint: Endpoint, token: str) -> Any:
    return sql.connect(
        server_hostname=HOST,
        http_path=HTTP_PATH,
        access_token=token,
        use_sea=True,
        catalog=endpoint.dialect.catalog,
        _tls_trusted_ca_file=str(endpoint.certificate),
        _retry_stop_after_attempts_count=1,
    )


def test_values_arrive_exactly(cursor: Any) -> None:
    cursor.execute("select cast(0.10 as decimal(38,2)), timestamp '2026-02-01 00:00:00.123456', cast(null as string)")
    (row,) = cursor.fetchall()
    assert tuple(row) == (Decimal("0.10"), dt.datetime(2026, 2, 1, 0, 0, 0, 123456, tzinfo=dt.UTC), None)


def test_a_result_of_several_chunks_arrives_whole(cursor: Any) -> None:
    cursor.execute("select id from range(25000)")
    assert sorted(row[0] for row in cursor.fetchall()) == list(range(25_000))


def test_a_wrong_token_is_refused(endpoint: Endpoint) -> None:
    with pytest.raises(sql.exc.Error):
        _connect(endpoint, "another-token")


def test_a_secret_is_read_where_the_statement_runs_and_not_sent(endpoint: Endpoint, cursor: Any) -> None:
    endpoint.dialect.secrets["plura", "salt"] = "local-salt-v1"
    cursor.execute("select secret('plura', 'salt')")
    assert cursor.fetchall()[0][0] == "local-salt-v1"
    assert all("local-salt-v1" not in text for text in endpoint.statements.texts)


@pytest.mark.parametrize("kind", RECORDED, ids=lambda kind: kind.name)
def test_only_statements_that_spark_cannot_parse_are_recorded(spark_session: SparkSession, kind: Any) -> None:
    from pyspark.errors import ParseException

    with pytest.raises(ParseException):
        spark_session.sql(kind.example)
    assert kind.pattern.match(kind.example)


def test_a_service_principal_logs_in_with_its_secret(endpoint: Endpoint) -> None:
    from databricks.sdk import WorkspaceClient

    with mock.patch.dict(os.environ):
        os.environ.pop("DATABRICKS_TOKEN")
        client = WorkspaceClient(host=HOST, client_id=SERVICE_PRINCIPAL, client_secret=SECRET, auth_type="oauth-m2m")
        assert client.current_user.me().user_name == SERVICE_PRINCIPAL
    assert ("POST", "/oidc/v1/token") in endpoint.requests
