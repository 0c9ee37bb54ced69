"""A running API for each test, on a database of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dev.servers.identity import Provider, provider
from tests.admin_api import AdminApi, auth_settings, running
from tests.postgres import TestDatabase, bo, postgres

__all__ = ["bo", "postgres"]


@pytest.fixture(scope="session")
def identity() -> Iterator[Provider]:
    """The identity provider, for tests that leave it as it is."""
    with provider() as one:
        yield one


@pytest.fixture
def api(bo: TestDatabase, identity: Provider) -> Iterator[AdminApi]:
    """The API with tokens of ``identity``."""
    with running(bo, auth_settings(identity)) as one:
        yield one


@pytest.fixture
def own(bo: TestDatabase) -> Iterator[tuple[AdminApi, Provider]]:
    """The API with its console, and the provider that signs people in."""
    with provider() as one, running(bo, auth_settings(one), signed_in_by=one) as api:
        yield api, one
