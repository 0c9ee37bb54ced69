"""The metrics of the consumer, with the names and labels that dashboards and alert rules use. Durations are seconds."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from plura.kit.kafka_consumer.freshness import freshness_gauge

_LAGS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
_AGES = (1.0, 5.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 21600.0, 86400.0, 604800.0)


class ConsumerMetrics:
    """Metrics of the consumer of events."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.messages = Counter(
            "consumer_messages_total", "Messages handled.", ["topic", "status"], registry=registry
        )  # status: success, error
        self.event_lag = Histogram(
            "consumer_event_lag_seconds",
            "Time from an event to its row.",
            ["topic"],
            buckets=_LAGS,
            registry=registry,
        )
        self.dlq = Counter("consumer_dlq_total", "Events put aside as bad.", ["topic"], registry=registry)
        self.lost = Counter(
            "consumer_offsets_lost_total",
            "Offsets skipped because the broker had deleted their records before they were read.",
            ["topic"],
            registry=registry,
        )
        self.missing = Gauge(
            "consumer_topic_missing", "1 while the topic does not exist, else 0.", ["topic"], registry=registry
        )
        self.recreated = Counter(
            "consumer_topic_recreated_total",
            "Times that the topic was deleted and recreated; it was read from its first record.",
            ["topic"],
            registry=registry,
        )
        self.version_missing = Counter(
            "consumer_version_missing_total",
            "Events that carry neither updated_at nor a version.",
            ["topic"],
            registry=registry,
        )
        self.less_information = Counter(
            "consumer_less_information_total",
            "Events that lost because they say less about their order than the stored row.",
            ["topic"],
            registry=registry,
        )
        self.alias_hits = Counter(
            "consumer_contract_alias_hit_total",
            "Fields whose value came under an alias.",
            ["topic", "profile_id", "canonical_key", "alias_key"],
            registry=registry,
        )
        self.core_violations = Counter(
            "consumer_contract_core_violation_total",
            "Events whose names for one field contradict each other.",
            ["topic", "profile_id"],
            registry=registry,
        )
        self.profile_messages = Counter(
            "consumer_contract_profile_messages_total",
            "Messages read under a profile.",
            ["topic", "profile_id"],
            registry=registry,
        )
        self.kafka_lag = Gauge(
            "consumer_kafka_lag", "Messages not yet consumed.", ["topic", "partition"], registry=registry
        )
        self.freshness = freshness_gauge(registry)


class PairingMetrics:
    """Metrics of the pairing of payments."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.pairs = Counter("pairing_total", "Pairs computed.", registry=registry)
        self.incomplete = Counter("pairing_incomplete_total", "Pairs computed with one side.", registry=registry)
        self.incomplete_age = Histogram(
            "pairing_incomplete_age_seconds",
            "Age of a pair that has one side.",
            buckets=_AGES,
            registry=registry,
        )
        self.skipped = Counter(
            "pairing_skipped_non_payment_order_total",
            "Entries that belong to something else than a payment order.",
            ["related_type"],
            registry=registry,
        )
