"""A running API for each test, on a database of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dev.servers.identity import Provider, provider
from plura.kit.auth.settings import AuthSettings
from plura.kit.embedded_postgres import EmbeddedPostgres
from tests.admin_api import AdminApi, auth_settings, payment, running
from tests.console import fill, sign_in
from tests.postgres import TestDatabase, bo, postgres, temporary_database

__all__ = ["bo", "postgres"]


@pytest.fixture(scope="session")
def identity() -> Iterator[Provider]:
    """The identity provider, for tests that leave it as it is."""
    with provider() as identity_provider:
        yield identity_provider


@pytest.fixture
def api(bo: TestDatabase, identity: Provider) -> Iterator[AdminApi]:
    """The API with tokens of ``identity``."""
    with running(bo, auth_settings(identity)) as api:
        yield api


@pytest.fixture
def own(bo: TestDatabase) -> Iterator[tuple[AdminApi, Provider]]:
    """The API with its console, and the provider that signs people in."""
    with (
        provider() as identity_provider,
        running(bo, auth_settings(identity_provider), signed_in_by=identity_provider) as api,
    ):
        yield api, identity_provider


@pytest.fixture(scope="module")
def filled(postgres: EmbeddedPostgres) -> Iterator[TestDatabase]:
    with temporary_database(postgres, template="migrated") as database:
        fill(database)
        yield database


@pytest.fixture(scope="module")
def modes(filled: TestDatabase) -> Iterator[dict[str, AdminApi]]:
    """An API over the same data in each mode of authentication."""
    with (
        provider() as identity_provider,
        provider() as stranger_provider,
        running(filled, AuthSettings(auth_mode="disabled")) as disabled,
        running(filled, auth_settings(identity_provider), signed_in_by=identity_provider) as signed_in,
        running(filled, auth_settings(identity_provider), signed_in_by=identity_provider) as stranger,
        running(filled, auth_settings(stranger_provider), signed_in_by=stranger_provider) as without_a_role,
    ):
        identity_provider.token_claims = {"roles": ["ADMIN_READ", "ADMIN_AUDIT"]}
        sign_in(signed_in)
        stranger_provider.token_claims = {"roles": ["OTHER"]}
        sign_in(without_a_role)
        yield {"disabled": disabled, "signed in": signed_in, "stranger": stranger, "without a role": without_a_role}


@pytest.fixture
def open_api(bo: TestDatabase) -> Iterator[AdminApi]:
    """An API whose console nobody has to sign in to, as the README starts it."""
    with running(bo, AuthSettings(auth_mode="disabled")) as api:
        yield api


@pytest.fixture(scope="module")
def shared(postgres: EmbeddedPostgres) -> Iterator[AdminApi]:
    """Such an API for tests that store things under names of their own."""
    with (
        temporary_database(postgres, template="migrated") as database,
        running(database, AuthSettings(auth_mode="disabled")) as api,
    ):
        payment(database)
        yield api
