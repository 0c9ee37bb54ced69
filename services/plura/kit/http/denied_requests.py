"""Audit rows of denied requests: 401, 403 and 422."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Protocol

from plura.kit.http.audit_context import AuditContext
from plura.kit.http.errors import UnavailableError
from plura.kit.observability.logs import fields

_LOG = logging.getLogger(__name__)

WINDOW_SECONDS = 1.0
MOST_ADDRESSES = 10_000
"""Addresses that are counted separately in a window; all further addresses share a single count."""
_OTHER_ADDRESSES = None


class AuditRowWriter(Protocol):
    """Writes an audit row."""

    async def __call__(self, row: dict[str, Any]) -> None:
        """Write ``row``: parameters of the statement ``record``.

        Raises:
            UnavailableError: the row was not written.
        """
        ...


@dataclass(kw_only=True)
class _Window:
    written: int = 0
    merged: int = 0
    row: dict[str, Any] | None = None


class DeniedRequestAudit:
    """Records denied requests, each with its own row; of 401s to an address only N a second, the rest as a count.

    Anybody can send requests without a token at any rate, and must not be able to fill the disk. A count is written
    when its second is over, retried while the database is unavailable, and written at shutdown.
    """

    def __init__(self, write: AuditRowWriter, *, per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._per_second = per_second
        self._clock = clock
        self._windows: dict[str | None, _Window] = {}
        self._window_started = clock()
        self._pending: list[dict[str, Any]] = []
        self._background: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start to write counts in the background."""
        self._background = asyncio.create_task(self._keep_writing(), name="write merged refusals")

    async def close(self) -> None:
        """Stop the background task and write the counts."""
        if self._background is not None:
            self._background.cancel()
            await asyncio.gather(self._background, return_exceptions=True)
        await self.flush()

    async def record(self, context: AuditContext, *, status_code: int, result: str) -> None:
        """Record a denied request.

        Raises:
            UnavailableError: the row was not written.
        """
        row = {
            **context.audit_row(),
            "status_code": status_code,
            "result": result,
            "result_count": None,
            "occurrences": 1,
        }
        if context.principal is None and not self._is_within_limit(network_of(context.ip), row):
            return
        await self._write(row)

    def _is_within_limit(self, address: str | None, row: dict[str, Any]) -> bool:
        if self._clock() - self._window_started >= WINDOW_SECONDS:
            self._end_window()
        if address not in self._windows and len(self._windows) >= MOST_ADDRESSES:
            address = _OTHER_ADDRESSES
        window = self._windows.setdefault(address, _Window())
        if window.written < self._per_second:
            window.written += 1
            return True
        window.merged += 1
        if window.row is None:
            window.row = {**row, "id": None, "correlation_id": None, "request_query": None}
            if address is _OTHER_ADDRESSES:
                window.row["ip"] = None
        return False

    def _end_window(self) -> None:
        """End the second and turn its counts into rows to write."""
        for window in self._windows.values():
            if window.row is not None:
                self._pending.append({**window.row, "occurrences": window.merged})
        self._windows = {}
        self._window_started = self._clock()

    async def flush(self) -> None:
        """Write all counts; a row that was not written, even because of cancellation, is kept for the next call."""
        self._end_window()
        while self._pending:
            try:
                await self._write(self._pending[0])
            except UnavailableError:
                self._pending = _merged_by_address(self._pending)
                _LOG.warning("merged refusals not written", extra=fields(rows=len(self._pending)))
                return
            self._pending.pop(0)

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(WINDOW_SECONDS)
            await self.flush()


def network_of(address: str | None) -> str | None:
    """Return what counts as a single sender: an IPv4 address, or the /64 network of an IPv6 address."""
    if address is None:
        return None
    try:
        read = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((read, 64), strict=False)) if isinstance(read, IPv6Address) else address


def _merged_by_address(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Merge the counts of each address, so that a long outage keeps no more rows than there are addresses."""
    found: dict[str | None, dict[str, Any]] = {}
    for row in rows:
        address = row["ip"] if row["ip"] in found or len(found) < MOST_ADDRESSES else _OTHER_ADDRESSES
        known = found.setdefault(address, {**row, "ip": address, "occurrences": 0})
        known["occurrences"] += row["occurrences"]
    return list(found.values())
