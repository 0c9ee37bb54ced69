"""Turns the outcomes of batches into metrics and log lines."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from plura.kit.kafka_consumer.clock import DatabaseClock
from plura.kit.kafka_consumer.state import ConsumerState
from plura.kit.observability.logs import fields
from plura.kit.observability.metrics import DatabaseMetrics
from plura.tx.consumer.batches import Batch
from plura.tx.consumer.series import ConsumerMetrics, PairingMetrics
from plura.tx.consumer.store import Written

_MOST_TYPES = 50
_OTHER_TYPES = "other"

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class MetricsRecorder:
    """Metrics of a consumer, and counts of bad events since its start."""

    registry: CollectorRegistry
    profile_id: str
    state: ConsumerState
    clock: DatabaseClock
    slow_seconds: float = 0.0
    """Slower statements are logged; 0 logs none."""
    bad: int = 0
    bad_in_a_row: int = 0
    stored: int = 0
    _types: set[str] = field(default_factory=set)
    """Values of related_type that have a series of their own."""
    _consumer: ConsumerMetrics = field(init=False)
    _pairing: PairingMetrics = field(init=False)
    _database: DatabaseMetrics = field(init=False)

    def __post_init__(self) -> None:
        """Register the metrics."""
        self._consumer = ConsumerMetrics(self.registry)
        self._pairing = PairingMetrics(self.registry)
        self._database = DatabaseMetrics(self.registry)

    def watch_topic(self, topic: str) -> None:
        """Create the series of a topic before its first message: an alert cannot fire on a missing series."""
        self._consumer.freshness.labels(topic).set_function(lambda: self.state.freshness(topic))
        self._consumer.missing.labels(topic).set_function(lambda: float(topic in self.state.missing_since))
        for status in ("success", "error"):
            self._consumer.messages.labels(topic, status)
        for counter in (
            self._consumer.dlq,
            self._consumer.lost,
            self._consumer.recreated,
            self._consumer.version_missing,
            self._consumer.less_information,
        ):
            counter.labels(topic)
        self._consumer.core_violations.labels(topic, self.profile_id)

    def queried(self, operation: str, table: str, success: bool, seconds: float) -> None:
        """Count a statement, and log a slow one."""
        self._database.ran(operation, table, success=success, seconds=seconds)
        if 0 < self.slow_seconds <= seconds:
            details = fields(operation=operation, table=table, success=success, milliseconds=round(seconds * 1000))
            log.warning("slow statement", extra=details)

    def lost(self, topic: str, offsets: int) -> None:
        """Count offsets whose records were deleted before they were read."""
        self._consumer.lost.labels(topic).inc(offsets)

    def recreated(self, topic: str) -> None:
        """Count that a topic was recreated."""
        self._consumer.recreated.labels(topic).inc()

    def set_lags(self) -> None:
        """Set the lag of each partition that is assigned to us, and remove all other series."""
        self._consumer.kafka_lag.clear()
        for (topic, partition), state in self.state.partitions.items():
            self._consumer.kafka_lag.labels(topic, str(partition)).set(state.lag())

    def record(self, batch: Batch, written: Written) -> None:
        """Count a batch that was committed, and log what was put aside."""
        for letter in batch.dead:
            log.warning("event put aside", extra=fields(**letter.traces()))
        now = self.clock.now()
        for topic, counts in batch.counts.items():
            good = counts.messages - counts.rejected
            self._consumer.messages.labels(topic, "success").inc(good)
            self._consumer.messages.labels(topic, "error").inc(counts.rejected)
            self._consumer.dlq.labels(topic).inc(counts.rejected)
            self._consumer.version_missing.labels(topic).inc(counts.version_missing)
            self._consumer.less_information.labels(topic).inc(counts.less_information)
            self._consumer.core_violations.labels(topic, self.profile_id).inc(counts.violations)
            self._consumer.profile_messages.labels(topic, self.profile_id).inc(counts.messages)
            for (name, alias), number in counts.aliases.items():
                self._consumer.alias_hits.labels(topic, self.profile_id, name, alias).inc(number)
            lag = self._consumer.event_lag.labels(topic)
            for at in counts.events_at:
                lag.observe(max(0.0, now - at.timestamp()))
        for kind, number in written.less_information.items():
            self._consumer.less_information.labels(batch.topic_of[kind]).inc(number)
        self._pairing.pairs.inc(written.pairs)
        self._pairing.incomplete.inc(len(written.incomplete_ages))
        for age in written.incomplete_ages:
            self._pairing.incomplete_age.observe(age)
        for related_type, number in batch.skipped_types.items():
            self._pairing.skipped.labels(self._type(related_type)).inc(number)
        self._count_bad(batch)

    def _type(self, related_type: str) -> str:
        """Return the label of a related_type: it is free text, and a series for each value would fill the memory."""
        if len(self._types) < _MOST_TYPES:
            self._types.add(related_type)
        return related_type if related_type in self._types else _OTHER_TYPES

    def _count_bad(self, batch: Batch) -> None:
        dead = {id(letter.message) for letter in batch.dead}
        self.bad += len(dead)
        self.stored += len(batch.messages) - len(dead)
        good_at_end = next(
            (number for number, message in enumerate(reversed(batch.messages)) if id(message) not in dead), None
        )
        self.bad_in_a_row = self.bad_in_a_row + len(dead) if good_at_end is None else good_at_end
