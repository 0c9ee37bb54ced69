"""Publication of CRITICAL exceptions: the outbox in Gold, delivered to the operations EventHub."""

from __future__ import annotations

from python_jobs.publish.eventhub_http import HttpHub
from python_jobs.publish.eventhub_kafka import KafkaHub
from python_jobs.publish.events import Hub, HubUnavailableError, MemoryHub, OutboxEvent, PublisherRejectedError
from python_jobs.publish.outbox import MemoryOutbox, Outbox, OutboxCounts, sole_publisher
from python_jobs.publish.outbox_duckdb import DuckDBOutbox
from python_jobs.publish.outbox_spark import SparkOutbox, version_on_disk
from python_jobs.publish.outbox_tables import no_outbox
from python_jobs.publish.publisher import PassReport, Publisher, RetryPolicy

__all__ = [
    "DuckDBOutbox",
    "HttpHub",
    "Hub",
    "HubUnavailableError",
    "KafkaHub",
    "MemoryHub",
    "MemoryOutbox",
    "Outbox",
    "OutboxCounts",
    "OutboxEvent",
    "PassReport",
    "Publisher",
    "PublisherRejectedError",
    "RetryPolicy",
    "SparkOutbox",
    "no_outbox",
    "sole_publisher",
    "version_on_disk",
]
