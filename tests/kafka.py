"""The broker that tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dev.servers.kafka import Broker, MissingPartError, kafka_jars
from tests.spark import java_is_missing, skip_or_fail


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A running broker for all tests of this process; tests make topics of their own.

    Where it cannot run the tests are skipped by name.
    """
    if why := java_is_missing():
        skip_or_fail(why.replace("Spark", "Apache Kafka", 1))
    try:
        jars = kafka_jars()
    except MissingPartError as missing:
        skip_or_fail(str(missing))
    broker = Broker(work=tmp_path_factory.mktemp("kafka"), jars=jars)
    broker.format()
    broker.start()
    yield broker
    broker.stop()
