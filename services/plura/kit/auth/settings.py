"""Settings of authentication."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, model_validator

from plura.kit.service_settings import AppEnv, ServiceSettings

ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Algorithms whose verification key cannot sign."""


def _words(value: object) -> object:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
"""A comma separated list."""


class AuthSettings(ServiceSettings):
    """Settings of authentication: ``PLURA_AUTH_…``.

    Mode ``oidc`` needs issuer, audience and JWKS address; mode ``disabled`` is for a developer's machine and is refused
    in production.
    """

    bare_names: ClassVar[dict[str, str]] = {
        "app_env": "APP_ENV",
        "auth_mode": "AUTH_MODE",
        "auth_issuer": "AUTH_ISSUER",
        "auth_audience": "AUTH_AUDIENCE",
        "auth_jwks_url": "AUTH_JWKS_URL",
        "auth_algorithm": "AUTH_ALGORITHM",
        "auth_roles_claim": "AUTH_ROLES_CLAIM",
        "auth_actor_id_claims": "AUTH_ACTOR_ID_CLAIMS",
    }

    app_env: AppEnv = "local"
    auth_mode: Literal["oidc", "disabled"] = Field(
        default="oidc", description="`disabled`: nobody has to sign in; for a developer's machine."
    )
    auth_issuer: str = Field(default="", description="Required iss of tokens.")
    auth_audience: str = Field(default="", description="Required aud of tokens.")
    auth_jwks_url: str = Field(default="", description="Address of the provider's key set (JWKS).")
    auth_algorithm: Words = Field(default=("RS256",), description="Accepted signature algorithms.")
    auth_roles_claim: Words = Field(default=("roles", "scp"), description="Claims that name roles.")
    auth_actor_id_claims: Words = Field(
        default=("oid", "sub"), description="Claims that identify a person, the first one that a token has."
    )
    auth_leeway_seconds: float = Field(default=5, ge=0, le=60, description="Tolerated difference of clocks.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.auth_mode == "disabled":
            if self.app_env == "prod":
                raise ValueError("PLURA_AUTH_MODE=disabled is refused with PLURA_APP_ENV=prod")
            return self
        needed = ("auth_issuer", "auth_audience", "auth_jwks_url", "auth_algorithm", "auth_actor_id_claims")
        if missing := [f"PLURA_{name.upper()}" for name in needed if not getattr(self, name)]:
            raise ValueError(f"PLURA_AUTH_MODE=oidc needs {', '.join(missing)}")
        if unknown := [name for name in self.auth_algorithm if name not in ASYMMETRIC]:
            raise ValueError(f"PLURA_AUTH_ALGORITHM: {', '.join(unknown)} not among {', '.join(ASYMMETRIC)}")
        require_safe_url("PLURA_AUTH_JWKS_URL", self.auth_jwks_url, app_env=self.app_env)
        return self


def require_safe_url(name: str, url: str, *, app_env: str) -> None:
    """Refuse an address without protection of the transport.

    Raises:
        ValueError: it is neither https nor of this machine; plain http elsewhere needs ``app_env`` local.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname and (app_env == "local" or _is_loopback(parts.hostname)):
        return
    raise ValueError(f"{name} must be an https address")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
