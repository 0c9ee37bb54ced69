"""Addresses and credentials of the Kafka brokers, as options of Spark's source and of kafka-python."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from plura.kit.azure_tokens import azure_tokens
from plura.kit.errors import ServiceError
from plura.kit.service_settings import ServiceSettings

_LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}


class KafkaSettings(ServiceSettings):
    """Settings of Kafka clients, from environment variables with the prefix ``PLURA_KAFKA_``."""

    model_config = SettingsConfigDict(env_prefix="PLURA_KAFKA_")

    bare_names: ClassVar[dict[str, str]] = {
        "bootstrap": "KAFKA_BROKERS",
        "security_protocol": "KAFKA_SECURITY_PROTOCOL",
        "sasl_mechanism": "KAFKA_SASL_MECHANISM",
        "sasl_username": "KAFKA_SASL_USERNAME",
        "sasl_password": "KAFKA_SASL_PASSWORD",
        "ssl_ca_location": "KAFKA_SSL_CA_LOCATION",
    }

    bootstrap: str = Field(default="", description="Brokers as host:port, comma separated.")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="How clients connect to the brokers."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        default="PLAIN", description="OAUTHBEARER signs in with tokens of Microsoft Entra ID, for Azure Event Hubs."
    )
    sasl_username: str = Field(default="", description="User of PLAIN and SCRAM.")
    sasl_password: SecretStr = Field(default=SecretStr(""), description="Password of PLAIN and SCRAM.")
    ssl_ca_location: str = Field(default="", description="PEM file of the authority that signed the brokers.")

    @model_validator(mode="after")
    def _user_with_sasl(self) -> Self:
        has_password = self.sasl_username and self.sasl_password.get_secret_value()
        if self.uses_sasl and not self.uses_tokens and not has_password:
            raise ValueError("SASL needs PLURA_KAFKA_SASL_USERNAME and PLURA_KAFKA_SASL_PASSWORD")
        return self

    @property
    def uses_sasl(self) -> bool:
        """Whether clients sign in."""
        return self.security_protocol.startswith("SASL")

    @property
    def uses_tokens(self) -> bool:
        """Whether clients sign in with tokens, not with a user and a password."""
        return self.uses_sasl and self.sasl_mechanism == "OAUTHBEARER"

    def spark_options(self) -> dict[str, str]:
        """Return the options of Spark's Kafka source.

        Raises:
            ServiceError: tokens are configured, which the source does not support.
        """
        if self.uses_tokens:
            raise ServiceError("Spark signs in to Kafka with PLAIN or SCRAM: PLURA_KAFKA_SASL_MECHANISM names one")
        options = {
            "kafka.bootstrap.servers": self.bootstrap,
            "kafka.security.protocol": self.security_protocol,
        }
        if self.uses_sasl:
            user, password = _quoted(self.sasl_username), _quoted(self.sasl_password.get_secret_value())
            options["kafka.sasl.mechanism"] = self.sasl_mechanism
            # the runtime of Databricks shades the client, and finds its login module under the shaded name only
            shaded = "kafkashaded." if "DATABRICKS_RUNTIME_VERSION" in os.environ else ""
            options["kafka.sasl.jaas.config"] = (
                f"{shaded}{_LOGIN_MODULES[self.sasl_mechanism]} required username={user} password={password};"
            )
        if self.ssl_ca_location:
            options["kafka.ssl.truststore.type"] = "PEM"
            options["kafka.ssl.truststore.location"] = self.ssl_ca_location
        return options

    def client_options(self) -> dict[str, Any]:
        """Return the arguments of kafka-python's clients.

        Raises:
            ServiceError: sign-in by token is configured, and its package is not installed.
        """
        options: dict[str, Any] = {
            "bootstrap_servers": [broker.strip() for broker in self.bootstrap.split(",") if broker.strip()],
            "security_protocol": self.security_protocol,
        }
        if self.uses_tokens:
            host = options["bootstrap_servers"][0].rpartition(":")[0]
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_oauth_token_provider"] = _token_provider(azure_tokens(f"https://{host}/.default"))
        elif self.uses_sasl:
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.sasl_username
            options["sasl_plain_password"] = self.sasl_password.get_secret_value()
        if self.ssl_ca_location:
            options["ssl_cafile"] = self.ssl_ca_location
        return options


def _token_provider(give: Callable[[], str]) -> Any:
    """Return kafka-python's token provider, called at each sign-in."""
    from kafka.net.sasl.oauth import AbstractTokenProvider  # type: ignore[import-untyped]

    class Provider(AbstractTokenProvider):  # type: ignore[misc]
        def token(self) -> str:
            return give()

    return Provider()


def _quoted(text: str) -> str:
    r"""Return ``text`` in double quotes for a JAAS line, in which ``\`` escapes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
