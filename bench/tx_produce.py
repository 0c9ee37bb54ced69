"""Produces ledger events at a steady pace: ``python -m bench.tx_produce BOOTSTRAP TOPIC FIRST PER_SECOND COUNT``.

Each carries the time at which it is handed to the producer.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

from kafka import KafkaProducer  # type: ignore[import-untyped]

from bench.tx_events import ledger_event


def produce(bootstrap: str, topic: str, *, first: int, per_second: int, count: int) -> None:
    """Send the events from number ``first`` on, each when its time has come."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    begun = time.monotonic()
    for number in range(count):
        early = number / per_second - (time.monotonic() - begun)
        if early > 0:
            time.sleep(early)
        producer.send(topic, value=ledger_event(first + number, event_time=datetime.now(UTC)))
    producer.flush(60)
    producer.close()


if __name__ == "__main__":
    _bootstrap, _topic, *_numbers = sys.argv[1:]
    _first, _per_second, _count = map(int, _numbers)
    produce(_bootstrap, _topic, first=_first, per_second=_per_second, count=_count)
