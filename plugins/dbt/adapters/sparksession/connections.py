"""Credentials and connections of the adapter."""

from __future__ import annotations

from dataclasses import dataclass

from dbt.adapters.contracts.connection import Connection as DbtConnection
from dbt.adapters.contracts.connection import ConnectionState
from dbt.adapters.spark.connections import SparkConnectionManager, SparkConnectionMethod, SparkCredentials
from dbt.adapters.sparksession.session import Connection

_ANSI = "spark.sql.ansi.enabled"


@dataclass
class SparkSessionCredentials(SparkCredentials):
    """dbt-spark's credentials (``method``: session, or thrift, http or odbc for a cluster), with ANSI mode on."""

    def __post_init__(self) -> None:
        """Let dbt-spark check the settings, and take back that it switches ANSI mode off."""
        super().__post_init__()
        self.server_side_parameters[_ANSI] = "true"

    @property
    def type(self) -> str:
        """Name of the adapter in a profile."""
        return "sparksession"


class SparkSessionConnectionManager(SparkConnectionManager):
    """Opens the session of the process for method ``session``, and what dbt-spark opens for the others."""

    TYPE = "sparksession"

    @classmethod
    def open(cls, connection: DbtConnection) -> DbtConnection:
        """Give the connection its handle; the session starts with its first statement."""
        if connection.state == ConnectionState.OPEN or connection.credentials.method != SparkConnectionMethod.SESSION:
            return super().open(connection)
        connection.handle = Connection(connection.credentials.server_side_parameters)
        connection.state = ConnectionState.OPEN
        return connection
