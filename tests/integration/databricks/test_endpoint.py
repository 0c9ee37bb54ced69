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

from python_jobs.databricks import open_warehouse
from python_jobs.warehouse import LakeError
from tests.databricks.dialect import RECORDED
from tests.databricks.endpoint import HOST, HTTP_PATH, Endpoint
from tests.databricks.jobs import SERVICE_PRINCIPAL
from tests.dbt_runs import PROJECT

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture
def cursor(endpoint: Endpoint) -> Iterator[Any]:
    with _connect(endpoint, endpoint.token) as connection, connection.cursor() as cursor:
        yield cursor


def _connect(endpoint: Endpoint, token: str) -> Any:
    return sql.connect(
        server_hostname=HOST,
        http_path=HTTP_PATH,
        access_token=token,
        use_sea=True,
        catalog=endpoint.dialect.catalog,
        session_configuration={"TIMEZONE": "UTC"},
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


def test_parameters_arrive_by_name_and_with_their_types(endpoint: Endpoint, cursor: Any) -> None:
    values = {"amount": Decimal("12.30"), "day": dt.date(2026, 2, 1), "word": "it's :day", "nothing": None}
    cursor.execute("select :word, :amount + 1, date_add(:day, 1), :nothing", values)
    assert tuple(cursor.fetchone()) == ("it's :day", Decimal("13.30"), dt.date(2026, 2, 2), None)
    assert "it's" not in endpoint.statements.texts[-1]


def test_a_failed_statement_has_the_message_of_spark_without_its_plan(cursor: Any) -> None:
    with pytest.raises(sql.exc.Error, match=r"TABLE_OR_VIEW_NOT_FOUND.*`gold`\.`nowhere`") as failure:
        cursor.execute("select * from `plura`.`gold`.`nowhere`")
    assert "JVM stacktrace" not in str(failure.value)


def test_not_null_is_refused_for_a_column_with_null(endpoint: Endpoint, cursor: Any) -> None:
    cursor.execute(
        "create or replace table `plura`.`default`.`holes` using delta as select 1 as a, cast(null as int) as b"
    )
    cursor.execute("alter table `plura`.`default`.`holes` change column `a` set not null")
    assert (
        "not null",
        "alter table `plura`.`default`.`holes` change column `a` set not null",
    ) in endpoint.dialect.recorded
    with pytest.raises(sql.exc.Error, match="NOT_NULL_CONSTRAINT_VIOLATED"):
        cursor.execute("alter table `plura`.`default`.`holes` change column `b` set not null")


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
        client = WorkspaceClient(
            host=HOST, client_id=SERVICE_PRINCIPAL, client_secret=endpoint.client_secret, auth_type="oauth-m2m"
        )
        assert client.current_user.me().user_name == SERVICE_PRINCIPAL
    assert ("POST", "/oidc/v1/token") in endpoint.requests


@pytest.mark.parametrize("way", ["token", "service principal", "dbt task"])
def test_the_profile_serves_tokens_service_principals_and_dbt_tasks(endpoint: Endpoint, way: str) -> None:
    ways = {
        "token": {"DATABRICKS_HOST": HOST, "DATABRICKS_TOKEN": endpoint.token},
        "service principal": {
            "DATABRICKS_HOST": HOST,
            "DATABRICKS_CLIENT_ID": SERVICE_PRINCIPAL,
            "DATABRICKS_CLIENT_SECRET": endpoint.client_secret,
        },
        "dbt task": {"DBT_HOST": HOST, "DBT_ACCESS_TOKEN": endpoint.token},
    }
    with mock.patch.dict(os.environ):
        for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN"):
            del os.environ[name]
        os.environ.update(ways[way])
        with open_warehouse(PROJECT) as reader:
            assert reader.rows("select $day as day", day=dt.date(2026, 2, 1)) == [{"day": dt.date(2026, 2, 1)}]
            assert reader.rows("select current_timezone() as zone") == [{"zone": "UTC"}]
            assert not reader.has_table("gold", "nothing")
            with pytest.raises(LakeError, match="CAST_INVALID_INPUT"):
                reader.rows("select cast('x' as int)")
            with pytest.raises(LakeError, match=r"Databricks failed: .*TABLE_OR_VIEW_NOT_FOUND"):
                reader.rows("select * from gold.nothing")


@pytest.mark.usefixtures("endpoint")
def test_a_missing_setting_and_a_refused_token_are_named() -> None:
    with mock.patch.dict(os.environ):
        os.environ["DATABRICKS_TOKEN"] = "another-token"
        with pytest.raises(LakeError, match="failed with status 401"), open_warehouse(PROJECT):
            pass
        del os.environ["DATABRICKS_HTTP_PATH"]
        with pytest.raises(LakeError, match="'http_path' is required"), open_warehouse(PROJECT):
            pass
