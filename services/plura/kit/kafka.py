"""Where the Kafka brokers are and how to sign in to them, in the words of Spark's source and of kafka-python."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}


class KafkaSettings(BaseSettings):
    """Settings of Kafka clients, from environment variables with the prefix ``PLURA_KAFKA_``."""

    model_config = SettingsConfigDict(env_prefix="PLURA_KAFKA_", frozen=True)

    bootstrap: str = Field(default="", description="Brokers as host:port, comma separated.")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str = ""
    sasl_password: SecretStr = SecretStr("")
    ssl_ca_location: str = Field(default="", description="PEM file of the authority that signed the brokers.")

    @model_validator(mode="after")
    def _user_with_sasl(self) -> Self:
        if self.uses_sasl and not (self.sasl_username and self.sasl_password.get_secret_value()):
            raise ValueError("SASL needs PLURA_KAFKA_SASL_USERNAME and PLURA_KAFKA_SASL_PASSWORD")
        return self

    @property
    def uses_sasl(self) -> bool:
        """Whether clients sign in with a user and a password."""
        return self.security_protocol.startswith("SASL")

    def spark_options(self) -> dict[str, str]:
        """Return the options of Spark's Kafka source."""
        options = {
            "kafka.bootstrap.servers": self.bootstrap,
            "kafka.security.protocol": self.security_protocol,
        }
        if self.uses_sasl:
            user, password = _quoted(self.sasl_username), _quoted(self.sasl_password.get_secret_value())
            options["kafka.sasl.mechanism"] = self.sasl_mechanism
            options["kafka.sasl.jaas.config"] = (
                f"{_LOGIN_MODULES[self.sasl_mechanism]} required username={user} password={password};"
            )
        if self.ssl_ca_location:
            options["kafka.ssl.truststore.type"] = "PEM"
            options["kafka.ssl.truststore.location"] = self.ssl_ca_location
        return options

    def client_options(self) -> dict[str, Any]:
        """Return the arguments of kafka-python's clients."""
        options: dict[str, Any] = {
            "bootstrap_servers": [one.strip() for one in self.bootstrap.split(",") if one.strip()],
            "security_protocol": self.security_protocol,
        }
        if self.uses_sasl:
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.sasl_username
            options["sasl_plain_password"] = self.sasl_password.get_secret_value()
        if self.ssl_ca_location:
            options["ssl_cafile"] = self.ssl_ca_location
        return options


def _quoted(text: str) -> str:
    r"""Text in double quotes for a JAAS line, in which ``\`` escapes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
