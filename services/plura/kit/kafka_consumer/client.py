"""How a consumer asks brokers for records."""

from __future__ import annotations

from typing import Any

_MOST_OF_A_PARTITION = 4 << 20


def consumer_options(
    *, group_id: str, member: str, is_static: bool, batch_events: int, batch_bytes: int, session_timeout_ms: int
) -> dict[str, Any]:
    """Return the arguments of a kafka-python consumer that do not depend on where the brokers are.

    ``is_static``: the member keeps its partitions while it restarts, because its name is its own. ``batch_events`` and
    ``batch_bytes`` are those of a batch that is written in one transaction.
    """
    options: dict[str, Any] = {
        "client_id": member,
        "group_id": group_id,
        "enable_auto_commit": False,
        "auto_offset_reset": "none",  # OffsetResetPolicy does it, and reports lost records
        "isolation_level": "read_committed",
        "max_poll_records": batch_events,
        "fetch_max_wait_ms": 250,
        # records that were fetched and not yet polled are held in memory as well
        "fetch_max_bytes": batch_bytes,
        "max_partition_fetch_bytes": min(_MOST_OF_A_PARTITION, batch_bytes),
        "session_timeout_ms": session_timeout_ms,
        "heartbeat_interval_ms": session_timeout_ms // 3,
        "request_timeout_ms": 15_000,
        "bootstrap_timeout_ms": 5_000,
        "reconnect_backoff_max_ms": 1_000,
        "metadata_max_age_ms": 15_000,
        "metrics_enabled": False,
    }
    if is_static:
        options["group_instance_id"] = member
    return options
