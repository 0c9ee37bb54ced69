"""Audit rows of requests that were refused."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Protocol

from plura.kit.observability.logs import fields
from plura.tx.api.errors import UnavailableError
from plura.tx.api.visit import Visit

_LOG = logging.getLogger(__name__)

WINDOW_SECONDS = 1.0
MOST_ADDRESSES = 10_000
"""Addresses that are told apart in a window; what comes from further ones is counted together."""
_ELSEWHERE = None


class Recorder(Protocol):
    """Writes an audit row."""

    async def __call__(self, row: dict[str, Any]) -> None:
        """Write ``row``, the parameters of the statement ``record``.

        Raises:
            UnavailableError: it was not written.
        """
        ...


@dataclass(kw_only=True)
class _Window:
    written: int = 0
    merged: int = 0
    row: dict[str, Any] | None = None


class Refusals:
    """Records refused requests, one row each; 401s beyond so many a second from one address are one counted row.

    Without a token anybody can send as many requests as the line carries, and must not fill the disk with them. The
    count is written when its second is over, tried again while the database is down, and written at the end.
    """

    def __init__(self, record: Recorder, *, per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._record = record
        self._per_second = per_second
        self._clock = clock
        self._windows: dict[str | None, _Window] = {}
        self._opened = clock()
        self._unwritten: list[dict[str, Any]] = []
        self._background: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to write counts in the background."""
        self._background = asyncio.create_task(self._keep_writing(), name="write merged refusals")

    async def close(self) -> None:
        """Write what was counted and end."""
        if self._background is not None:
            self._background.cancel()
            await asyncio.gather(self._background, return_exceptions=True)
        await self.flush()

    async def refused(self, visit: Visit, *, status_code: int, result: str) -> None:
        """Record a refusal.

        Raises:
            UnavailableError: the row was not written.
        """
        row = {
            **visit.audited(),
            "status_code": status_code,
            "result": result,
            "result_count": None,
            "occurrences": 1,
        }
        if visit.principal is None and not self._has_room(network_of(visit.ip), row):
            return
        await self._record(row)

    def _has_room(self, address: str | None, row: dict[str, Any]) -> bool:
        if self._clock() - self._opened >= WINDOW_SECONDS:
            self._turn()
        if address not in self._windows and len(self._windows) >= MOST_ADDRESSES:
            address = _ELSEWHERE
        window = self._windows.setdefault(address, _Window())
        if window.written < self._per_second:
            window.written += 1
            return True
        window.merged += 1
        if window.row is None:
            window.row = {**row, "id": None, "correlation_id": None, "request_query": None}
            if address is _ELSEWHERE:
                window.row["ip"] = None
        return False

    def _turn(self) -> None:
        """End the second: its counts become rows to write."""
        for window in self._windows.values():
            if window.row is not None:
                self._unwritten.append({**window.row, "occurrences": window.merged})
        self._windows = {}
        self._opened = self._clock()

    async def flush(self) -> None:
        """Write all counts; what is not written, also where the process ends meanwhile, is kept for the next time."""
        self._turn()
        while self._unwritten:
            try:
                await self._record(self._unwritten[0])
            except UnavailableError:
                self._unwritten = _joined(self._unwritten)
                _LOG.warning("merged refusals not written", extra=fields(rows=len(self._unwritten)))
                return
            self._unwritten.pop(0)

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(WINDOW_SECONDS)
            await self.flush()


def network_of(address: str | None) -> str | None:
    """Return what counts as one sender: an address, or the /64 that a site of IPv6 has at its command."""
    if address is None:
        return None
    try:
        read = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((read, 64), strict=False)) if isinstance(read, IPv6Address) else address


def _joined(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join the counts of one address, so that a long outage keeps no more rows than there are addresses."""
    found: dict[str | None, dict[str, Any]] = {}
    for row in rows:
        address = row["ip"] if row["ip"] in found or len(found) < MOST_ADDRESSES else _ELSEWHERE
        known = found.setdefault(address, {**row, "ip": address, "occurrences": 0})
        known["occurrences"] += row["occurrences"]
    return list(found.values())
