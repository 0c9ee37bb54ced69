"""A broker and Bronze on Delta for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from python_jobs.contracts import read_contracts
from python_jobs.load.delta import DeltaBronze
from tests.dbt_runs import PROJECT
from tests.kafka import broker  # noqa: F401 - a fixture
from tests.spark import start_session


@pytest.fixture(scope="module")
def delta(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeltaBronze]:
    """Bronze in the session of this process; each test has topics and batches of its own."""
    session = start_session(tmp_path_factory.mktemp("spark"))
    session.sql("drop schema if exists bronze cascade")
    bronze = DeltaBronze(session, read_contracts(PROJECT))
    bronze.create_tables()
    yield bronze
    session.sql("drop schema if exists bronze cascade")
