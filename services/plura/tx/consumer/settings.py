"""Settings of the consumer and of the commands that store events in the same way."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from plura.kit.kafka_consumer.client import consumer_options
from plura.kit.service_settings import AppEnv, ServiceSettings
from plura.tx.consumer.profiles import Profile, read_profile


class ConsumerSettings(ServiceSettings):
    """Settings from environment variables with the prefix ``PLURA_``."""

    bare_names: ClassVar[dict[str, str]] = {
        name: name.upper()
        for name in (
            "app_env",
            "log_level",
            "kafka_group_id",
            "event_profile_id",
            "ledger_topic",
            "payment_order_topic",
            "dlq_backend",
            "dlq_retention_days",
            "consumer_poll_timeout_ms",
            "consumer_offset_reset",
            "metrics_host",
            "metrics_port",
        )
    }

    app_env: AppEnv = "local"
    log_level: str = Field(default="INFO", description="Least level of the log.")
    event_profile_id: str = Field(default="canonical-v1", description="Profile that events are read under.")
    event_profiles_file: Path | None = Field(
        default=None, description="YAML of profiles; unset: those that come with the service."
    )
    ledger_topic: str = Field(default="", description="Replaces the profile's topic.")
    payment_order_topic: str = Field(default="", description="Replaces the profile's topic.")

    kafka_group_id: str = Field(default="bo-sync-consumer", min_length=1, description="Consumer group.")
    consumer_member: str = Field(default="", description="Name of this member, kept over restarts; blank: a new name.")
    consumer_poll_timeout_ms: int = Field(default=1000, ge=1, description="Longest wait for events.")
    consumer_offset_reset: Literal["earliest", "latest"] = Field(
        default="earliest", description="Where a group starts in a topic that it has not read before."
    )
    consumer_session_timeout_ms: int = Field(
        default=6000, ge=1000, description="A member that is silent for this time loses its partitions."
    )
    consumer_batch_events: int = Field(default=1000, ge=1, description="Most events of a transaction.")
    consumer_batch_bytes: int = Field(
        default=16 << 20,
        ge=1,
        description="Most bytes of a transaction's messages, unless a single message has more.",
    )
    consumer_batch_ms: int = Field(default=100, ge=0, description="Time to gather events for a transaction.")
    consumer_most_bad_in_a_row: int = Field(default=0, ge=0, description="Stop after N bad events; 0: never.")
    consumer_most_bad: int = Field(default=0, ge=0, description="Stop after N bad events in all; 0: never.")

    dlq_backend: str = Field(default="db", description="Where bad events are kept; `db` is the only place.")
    dlq_retention_days: int = Field(default=14, description="Days that bad events are kept; 0: for ever.")

    metrics_host: str = Field(
        default="0.0.0.0",  # noqa: S104  # scraped from other machines
        description="Address that status and metrics are served on.",
    )
    metrics_port: int = Field(default=9108, ge=0, le=65535, description="Port of status and metrics.")

    @field_validator("dlq_backend")
    @classmethod
    def _table_only(cls, given: str) -> str:
        """Refuse backends that would lose events with the disk of a container."""
        if given != "db":
            raise ValueError("bad events are kept in the database only: PLURA_DLQ_BACKEND is db or unset")
        return given

    def profile(self) -> Profile:
        """Return the profile that events are read under.

        Raises:
            ProfileError: it cannot be used.
        """
        return read_profile(
            self.event_profile_id,
            file=self.event_profiles_file,
            ledger_topic=self.ledger_topic,
            payment_order_topic=self.payment_order_topic,
        )

    def client_options(self, member: str) -> dict[str, Any]:
        """Return the arguments of a kafka-python consumer that do not depend on where the brokers are."""
        return consumer_options(
            group_id=self.kafka_group_id,
            member=member,
            is_static=bool(self.consumer_member),
            batch_events=self.consumer_batch_events,
            batch_bytes=self.consumer_batch_bytes,
            session_timeout_ms=self.consumer_session_timeout_ms,
        )
