"""Why an event is not stored."""

from __future__ import annotations

from typing import Literal

Code = Literal["contract_core_violation", "unsupported_topic", "parse_error", "internal_error"]
"""``internal_error`` stands for values that are well formed and still cannot be stored."""


class RefusedError(Exception):
    """An event that is bad itself; trying again would change nothing."""

    def __init__(self, code: Code, detail: str) -> None:
        """Take the code of the dead-letter table and a text for people."""
        super().__init__(f"{code}: {detail}")
        self.code: Code = code
        self.detail = detail


def parse_error(detail: str) -> RefusedError:
    """An event that does not have the form of its contract."""
    return RefusedError("parse_error", detail)


def internal_error(detail: str) -> RefusedError:
    """An event whose values no column can hold."""
    return RefusedError("internal_error", detail)
