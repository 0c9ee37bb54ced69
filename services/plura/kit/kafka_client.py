"""A network client for kafka-python, for what its settings do not offer."""

from __future__ import annotations

from typing import Any

from kafka.net.compat import KafkaNetClient  # type: ignore[import-untyped]


class ReadOnlyTopicsClient(KafkaNetClient):  # type: ignore[misc]
    """Requests metadata of topics without creating them.

    A broker creates a requested topic unless broker or client forbids it; many brokers do not. The client forbids it by
    its setting ``allow_auto_create_topics``, which kafka-python 3.0 does not pass on. So a deleted topic would be
    recreated at once, empty and with the broker's default number of partitions.
    """

    def __init__(self, **configs: Any) -> None:
        """Keep the settings of a client."""
        super().__init__(**configs)
        self.cluster.config["allow_auto_create_topics"] = False
