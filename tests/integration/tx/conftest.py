"""The servers that the tests of the transaction service run on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from dev.servers.kafka import Broker, free_ports
from tests.commands import Plura
from tests.kafka import broker
from tests.postgres import TestDatabase, bo, postgres
from tests.transactions.stage import Stage

__all__ = ["bo", "broker", "postgres"]


@pytest.fixture
def stage(bo: TestDatabase, broker: Broker, tmp_path: Path) -> Iterator[Stage]:
    ledger, orders = broker.create_topic(partitions=2), broker.create_topic(partitions=2)
    settings = {
        "PLURA_DATABASE_URL": bo.url,
        "PLURA_KAFKA_BOOTSTRAP": broker.bootstrap,
        "PLURA_LEDGER_TOPIC": ledger,
        "PAYMENT_ORDER_TOPIC": orders,
        "KAFKA_GROUP_ID": f"group-{uuid4().hex[:8]}",
        "PLURA_METRICS_HOST": "127.0.0.1",
        "PLURA_METRICS_PORT": str(free_ports(1)[0]),
    }
    stage = Stage(Plura(work=tmp_path, settings=settings), broker, bo, ledger, orders)
    yield stage
    for process in stage.processes:
        process.kill()
        process.wait()
