"""Loads kafka-python first, with the warnings that it gives about itself put aside."""

from __future__ import annotations

import dev.servers.kafka  # noqa: F401  # for what it does on the way in
