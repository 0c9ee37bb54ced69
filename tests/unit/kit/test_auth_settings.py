"""Settings of authentication: what they need, and what they refuse."""

from __future__ import annotations

import pytest

from dev.servers.identity import AUDIENCE, ISSUER
from plura.kit.auth.settings import AuthSettings
from tests.unit.kit.verification import (
    settings,
)


def test_oidc_is_the_default_and_names_what_it_needs() -> None:
    with pytest.raises(ValueError, match="PLURA_AUTH_ISSUER, PLURA_AUTH_AUDIENCE, PLURA_AUTH_JWKS_URL"):
        AuthSettings()


def test_no_authentication_must_be_asked_for_and_is_refused_in_production() -> None:
    assert AuthSettings(auth_mode="disabled").auth_mode == "disabled"
    with pytest.raises(ValueError, match="refused"):
        AuthSettings(auth_mode="disabled", app_env="prod")


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256,HS512", "rs256"])
def test_only_asymmetric_algorithms_can_be_allowed(algorithm: str) -> None:
    with pytest.raises(ValueError, match="PLURA_AUTH_ALGORITHM"):
        settings(auth_algorithm=algorithm)


@pytest.mark.parametrize(
    ("url", "app_env", "accepted"),
    [
        ("https://login.example.test/keys", "prod", True),
        ("http://127.0.0.1:9/keys", "prod", True),
        ("http://localhost:9/keys", "prod", True),
        ("http://login.example.test/keys", "prod", False),
        ("http://login.example.test/keys", "dev", False),
        ("http://login:8080/keys", "local", True),
        ("file:///etc/passwd", "local", False),
        ("https:///keys", "local", False),
    ],
)
def test_keys_come_from_an_address_nobody_else_can_answer_for(url: str, app_env: str, accepted: bool) -> None:
    if accepted:
        assert settings(auth_jwks_url=url, app_env=app_env).auth_jwks_url == url
    else:
        with pytest.raises(ValueError, match="https"):
            settings(auth_jwks_url=url, app_env=app_env)


def test_settings_are_read_from_both_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH_ISSUER", ISSUER)
    monkeypatch.setenv("PLURA_AUTH_AUDIENCE", AUDIENCE)
    monkeypatch.setenv("AUTH_JWKS_URL", "https://login.example.test/keys")
    monkeypatch.setenv("AUTH_ROLES_CLAIM", "groups, roles")
    read = AuthSettings()
    assert (read.auth_issuer, read.auth_audience, read.auth_roles_claim) == (ISSUER, AUDIENCE, ("groups", "roles"))
