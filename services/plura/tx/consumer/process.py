"""The consumer process: its parts, created from settings."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from uuid import uuid4

from prometheus_client import CollectorRegistry

from plura.kit.database import Database
from plura.kit.kafka import KafkaSettings
from plura.kit.kafka_consumer.clock import DatabaseClock
from plura.kit.kafka_consumer.gathering import Limits
from plura.kit.kafka_consumer.incarnations import Incarnations
from plura.kit.kafka_consumer.loop import ConsumeLoop
from plura.kit.kafka_consumer.offset_reset import OffsetResetPolicy
from plura.kit.kafka_consumer.positions import PartitionTracker
from plura.kit.kafka_consumer.state import ConsumerState, Place, StoredState
from plura.kit.kafka_consumer.topics import KafkaTopics, TopicMonitor
from plura.kit.observability.otlp import MetricsPusher, OtlpSettings
from plura.kit.observability.status import StatusServer
from plura.tx.consumer.batches import Batch
from plura.tx.consumer.events import EventReader
from plura.tx.consumer.heartbeat import Heartbeat
from plura.tx.consumer.ingest import Ingest
from plura.tx.consumer.metrics import MetricsRecorder
from plura.tx.consumer.settings import ConsumerSettings
from plura.tx.consumer.store import PostgresStore
from plura.tx.db import CONSUMER_ROLE


class ConsumerProcess:
    """The parts of ``plura tx consume``."""

    def __init__(
        self, settings: ConsumerSettings, kafka: KafkaSettings, database: Database, otlp: OtlpSettings
    ) -> None:
        """Create the parts; nothing is connected yet.

        Raises:
            ProfileError: the profile cannot be used.
            ServiceError: sign-in by token is configured, and its package is not installed.
        """
        self.database = database
        self.state = ConsumerState()
        self.port = settings.metrics_port
        self._settings = settings
        self._profile = settings.profile()
        self._member = settings.consumer_member or f"consumer-{uuid4().hex[:8]}"
        self._client_options = kafka.client_options()
        clock, self._registry = DatabaseClock(), CollectorRegistry()
        self.metrics = MetricsRecorder(
            registry=self._registry,
            profile_id=self._profile.profile_id,
            state=self.state,
            clock=clock,
            slow_seconds=database.settings.db_slow_query_ms / 1000,
        )
        for topic in self._profile.topics:
            self.metrics.watch_topic(topic)
        self.heartbeat = Heartbeat(
            connect=lambda: database.connect("plura-tx-heartbeat", CONSUMER_ROLE),
            group_id=settings.kafka_group_id,
            member=self._member,
            retention_days=settings.dlq_retention_days,
            clock=clock,
        )
        self._tracker = PartitionTracker(state=self.state, clock=clock, lost=self.metrics.lost)
        self._incarnations = Incarnations()
        self._offset_reset = OffsetResetPolicy(
            start=settings.consumer_offset_reset, lost=self.metrics.lost, topic_id=self._incarnations.topic_id
        )
        self._store = PostgresStore(lambda: database.connect("plura-tx-consumer", CONSUMER_ROLE), self.metrics.queried)
        self._monitor = TopicMonitor(
            connect=lambda: KafkaTopics(self._client_options), names=list(self._profile.topics)
        )
        self._pusher = MetricsPusher(otlp, self._registry, "tx-lookup-service.consumer")
        self._ingest: Ingest | None = None

    def load(self, known: Mapping[Place, StoredState]) -> None:
        """Load the stored state of the group's partitions."""
        self._tracker.known.update(known)
        self._offset_reset.followed |= {topic for topic, _ in known}
        if self._ingest is not None:
            self._ingest.available.set()

    @contextmanager
    def serving(
        self, stopping: threading.Event, *, most_messages: int | None, most_idle_seconds: float | None
    ) -> Iterator[ConsumeLoop[Batch]]:
        """Serve status and metrics while the block runs, and yield the loop to run in it.

        Raises:
            ServiceError: the port is taken.
        """
        settings = self._settings
        ingest = Ingest(
            reader=EventReader(self._profile), store=self._store, stopping=stopping, on_committed=self.metrics.record
        )
        self._ingest = ingest
        status = StatusServer(
            settings.metrics_host,
            settings.metrics_port,
            registry=self._registry,
            lives=lambda: {"loop": self.state.lives()},
            ready=lambda: {"database": ingest.available.is_set()} | self.state.readiness(),
        )
        self.port = status.port
        self._pusher.start()
        try:
            yield ConsumeLoop(
                topics=list(self._profile.topics),
                client_options=self._client_options | settings.client_options(self._member),
                sink=ingest,
                state=self.state,
                counts=self.metrics,
                keeper=self.heartbeat,
                offset_reset=self._offset_reset,
                monitor=self._monitor,
                tracker=self._tracker,
                incarnations=self._incarnations,
                member_setting="PLURA_CONSUMER_MEMBER",
                limits=Limits(
                    batch_events=settings.consumer_batch_events,
                    batch_bytes=settings.consumer_batch_bytes,
                    batch_seconds=settings.consumer_batch_ms / 1000,
                    poll_seconds=settings.consumer_poll_timeout_ms / 1000,
                    most_bad=settings.consumer_most_bad,
                    most_bad_in_a_row=settings.consumer_most_bad_in_a_row,
                    most_messages=most_messages,
                    most_idle_seconds=most_idle_seconds,
                ),
            )
        finally:
            status.close()
            self._pusher.close()
            self._monitor.close()
            self.heartbeat.close()
            self._store.close()
