"""Publication of CRITICAL exceptions: the outbox in Gold, delivered to the operations EventHub."""

from __future__ import annotations

from python_jobs.publish.eventhub_http import HttpHub
from python_jobs.publish.eventhub_kafka import KafkaHub
from python_jobs.publish.events import Hub, HubUnavailableError, MemoryHub, OutboxEvent, PublisherRejectedError
from python_jobs.publish.outbox import DuckDBOutbox, MemoryOutbox, Outbox, Standing, sole_publisher
from python_jobs.publish.publisher import PassReport, Patience, Publisher

__all__ = [
    "DuckDBOutbox",
    "HttpHub",
    "Hub",
    "HubUnavailableError",
    "KafkaHub",
    "MemoryHub",
    "MemoryOutbox",
    "Outbox",
    "OutboxEvent",
    "PassReport",
    "Patience",
    "Publisher",
    "PublisherRejectedError",
    "Standing",
    "sole_publisher",
]
