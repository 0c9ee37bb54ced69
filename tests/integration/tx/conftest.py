"""The servers that the tests of the transaction service run on."""

from __future__ import annotations

from tests.kafka import broker
from tests.postgres import bo, postgres

__all__ = ["bo", "broker", "postgres"]
