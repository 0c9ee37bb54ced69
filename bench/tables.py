"""Tables of Markdown, and numbers as they stand in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def where(part: dict[str, Any]) -> str:
    """When and on what a part was measured."""
    machine = ", ".join(f"{name} {value}" for name, value in part["machine"].items())
    return f"Measured {part['date']} on: {machine}."


def verdict(is_met: bool, why_not: str) -> str:
    """Whether a target is met, and why not."""
    return "met" if is_met else f"**missed**: {why_not}"


def count(number: float) -> str:
    """A whole number."""
    return f"{number:,.0f}"


def tenths(number: float) -> str:
    """A number with a tenth."""
    return f"{number:.1f}"


def hundredths(number: float) -> str:
    """A number with two places."""
    return f"{number:.2f}"


def times(ratio: float) -> str:
    """A ratio."""
    return f"{ratio:.2f} ×"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its first column is text, the others are numbers."""
    lines = [heads, ["---", *("---:" for _ in heads[1:])], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
