"""The network side of kafka-python's clients, where its own settings do not reach."""

from __future__ import annotations

from typing import Any

from kafka.net.compat import KafkaNetClient  # type: ignore[import-untyped]


class ReadOnlyTopicsClient(KafkaNetClient):  # type: ignore[misc]
    """Asks for topics without creating them.

    A broker creates a topic that a client asks for, unless either of them forbids it; many brokers do not. The client
    forbids it by its setting ``allow_auto_create_topics``, which kafka-python 3.0 does not pass on. So a topic that is
    deleted would be recreated at once, empty and with the broker's default number of partitions.
    """

    def __init__(self, **configs: Any) -> None:
        """Take the settings of a client."""
        super().__init__(**configs)
        self.cluster.config["allow_auto_create_topics"] = False
