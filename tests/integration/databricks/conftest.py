"""The local endpoint for the tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from tests.databricks.endpoint import Endpoint, running_endpoint
from tests.spark import skip_or_fail

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="module")
def endpoint(spark_session: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """A workspace on localhost, which the environment names while the tests of a module run."""
    try:
        running = running_endpoint(
            spark_session,
            tmp_path_factory.mktemp("endpoint"),
            token="local-token",  # noqa: S106 - made up
            secret="dose-local-secret",  # noqa: S106 - made up; the adapter takes it for one of Databricks by its beginning
        )
        with running as endpoint, mock.patch.dict(os.environ, endpoint.environment):
            yield endpoint
    except OSError as error:
        skip_or_fail(f"port 443 of localhost cannot be had: {error}")
