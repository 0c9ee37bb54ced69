"""How a job reports its progress."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called with the work done, the work in all (files, tables, bytes or nodes) and the name of the current piece."""


def no_progress(_done: int, _total: int, _piece: str) -> None:
    """No progress output."""
