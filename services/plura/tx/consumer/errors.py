"""Why an event cannot be stored."""

from __future__ import annotations

from typing import Literal

Code = Literal["contract_core_violation", "unsupported_topic", "parse_error", "internal_error"]
"""``internal_error``: values that are well formed, but that no column can hold."""


class InvalidEventError(Exception):
    """The event itself is bad; a retry would change nothing."""

    def __init__(self, code: Code, detail: str) -> None:
        """Keep the error code of the dead-letter table and a detail for people."""
        super().__init__(f"{code}: {detail}")
        self.code: Code = code
        self.detail = detail


def parse_error(detail: str) -> InvalidEventError:
    """Return the error of an event that does not have the form of its contract."""
    return InvalidEventError("parse_error", detail)


def internal_error(detail: str) -> InvalidEventError:
    """Return the error of an event with values that no column can hold."""
    return InvalidEventError("internal_error", detail)
