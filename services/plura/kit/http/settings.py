"""Settings of the admin API."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from plura.kit.auth.settings import Words
from plura.kit.service_settings import AppEnv, ServiceSettings


def _networks(value: object) -> object:
    if isinstance(value, str):
        return tuple(ip_network(word.strip(), strict=False) for word in value.split(",") if word.strip())
    return value


Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_networks)]
"""A comma separated list of addresses and networks."""


class ApiSettings(ServiceSettings):
    """Settings of the HTTP server, from environment variables with the prefix ``PLURA_``."""

    bare_names: ClassVar[dict[str, str]] = {
        "app_env": "APP_ENV",
        "log_level": "LOG_LEVEL",
        "audit_mask_query_keys": "AUDIT_MASK_QUERY_KEYS",
    }

    app_env: AppEnv = "local"
    log_level: str = Field(default="INFO", description="Least level of the log.")
    trusted_proxies: Networks = Field(default=(), description="Addresses whose X-Forwarded-For is trusted.")
    audit_mask_query_keys: Words = Field(
        default=("access_token", "token"), description="Query keys whose values are hidden in the audit."
    )
    audit_refusals_per_second: int = Field(
        default=5, ge=1, description="401 responses to an address in a second that get an audit row each."
    )

    @property
    def masked_keys(self) -> frozenset[str]:
        """Query keys to hide, in lower case."""
        return frozenset(key.lower() for key in self.audit_mask_query_keys)
