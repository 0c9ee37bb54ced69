"""The network side of kafka-python's clients, where its own settings do not reach."""

from __future__ import annotations

from typing import Any

from kafka.net.compat import KafkaNetClient  # type: ignore[import-untyped]


class ReadOnlyTopicsClient(KafkaNetClient):  # type: ignore[misc]
    """Asks for topics without creating them.

    A broker creates a topic that a client asks for, unless one of both says no; many brokers do not. The client's
    setting ``allow_auto_create_topics`` says it, and kafka-python 3.0 does not pass it on. So a topic that is deleted
    would be there again at once, empty and with the broker's number of partitions.
    """

    def __init__(self, **configs: Any) -> None:
        """Take the settings of a client."""
        super().__init__(**configs)
        self.cluster.config["allow_auto_create_topics"] = False
