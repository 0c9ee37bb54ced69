"""What the consumer measures."""

from __future__ import annotations

from collections import Counter

from prometheus_client import CollectorRegistry

from plura.kit.kafka_consumer.clock import DatabaseClock
from plura.kit.kafka_consumer.state import ConsumerState
from plura.tx.consumer.batches import Batch
from plura.tx.consumer.metrics import MetricsRecorder
from plura.tx.consumer.store import Written


def skipping(types: Counter[str]) -> Batch:
    return Batch(messages=[], rows={}, topic_of={}, dead=[], counts={}, skipped_types=types)


def test_free_text_of_producers_makes_a_bounded_number_of_series() -> None:
    registry = CollectorRegistry()
    metrics = MetricsRecorder(registry=registry, profile_id="p", state=ConsumerState(), clock=DatabaseClock())
    nothing = Written(changed={}, less_information={})
    metrics.record(skipping(Counter({"COUPON": 2})), nothing)
    metrics.record(skipping(Counter(str(number) for number in range(1000))), nothing)
    metrics.record(skipping(Counter({"COUPON": 3})), nothing)
    name = "pairing_skipped_non_payment_order_total"
    samples = {
        sample.labels["related_type"]: sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == name
    }
    assert len(samples) == 51
    assert samples["COUPON"] == 5
    assert samples["other"] == 951
    assert sum(samples.values()) == 1005
