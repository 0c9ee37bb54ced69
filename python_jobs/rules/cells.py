"""Reads a cell of a rule; a cell with any character that is not understood is an error."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from python_jobs.number_text import NumberText
from python_jobs.rules.catalog import Numbers, ValueKind, Values
from python_jobs.rules.patterns import pattern_problem
from python_jobs.spelling import closest, suggestion

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_MOST_DIGITS = 15
"""Digits that a double holds exactly."""

_CURRENCY = re.compile("[A-Z]{3}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?)?"
)

CALENDAR_START = datetime(1970, 1, 1, tzinfo=UTC)
"""From this instant on there are rules; it is the start of a rule that names none."""
_CALENDAR_END = datetime(9999, 1, 1, tzinfo=UTC)
"""An open end is 9999-12-31."""
_EXAMPLES = "2026-02-03 or 2026-02-03 00:00:00+09:00"

# white space and the characters without width that pages and spreadsheets leave, as around ids (macro trimmed)
_BLANKS = (
    r"[\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]+"
)
_AROUND = re.compile(rf"^{_BLANKS}|{_BLANKS}$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LONGEST_SHOWN = 40
_SIMILAR = 0.6
"""Least similarity of a cell with what it may have meant: a short list of allowed values needs less than a name."""


class CellError(ValueError):
    """A cell cannot be read: ``problem`` says why, ``allowed`` what it may be."""

    def __init__(self, problem: str, allowed: str) -> None:
        super().__init__(f"{problem} (allowed: {allowed})")


def shown(text: str) -> str:
    """Return a text for a message: quoted, on one line, with what cannot be seen escaped, not too long."""
    return repr(text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…")


def trimmed(text: str) -> str:
    """Return the text without blanks around it, visible or not."""
    return _AROUND.sub("", text)


def listed(names: Iterable[str]) -> str:
    """Return names for a message."""
    return ", ".join(names)


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Return a hint at the known name that is most similar to a word, with a leading separator; empty for none."""
    folded = {name.casefold(): name for name in known}
    # a table may be named without its schema
    folded |= {name.rsplit(".", 1)[-1].casefold(): name for name in known}
    near = closest(trimmed(word).casefold(), folded, similar=_SIMILAR)
    return suggestion(folded[near] if near else None)


def check_characters(text: str) -> None:
    """Refuse line breaks and other control characters, which no cell needs.

    Raises:
        CellError: the text has one.
    """
    if _CONTROL.search(text):
        raise CellError(f"{shown(text)} has a line break or control character", "one line; is a quote not closed?")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise CellError(f"{shown(text)} has half of a surrogate pair", "whole characters")


def read_name(text: str, known: Collection[str], within: str = "") -> str:
    """Return a name if it is exactly one of the known names.

    Args:
        text: the cell.
        known: the names.
        within: the domain or metric that has these names, for the message.

    Raises:
        CellError: it is none of them.
    """
    if text in known:
        return text
    allowed = (listed(known) or "none, leave it empty") + within
    raise CellError(f"{shown(text)} is read by nothing", allowed + did_you_mean(text, known))


def read_number(text: str, numbers: Numbers) -> float:
    """Return a number written in plain digits.

    Raises:
        CellError: it is written in another way, is none of ``numbers``, or has more digits than are kept exactly.
    """
    if not _NUMBER.fullmatch(text):
        raise CellError(f"{shown(text)} is not a plain number", f"{numbers.says}, in digits with a point")
    number = Decimal(text)
    if len(number.normalize().as_tuple().digits) > _MOST_DIGITS or number.adjusted() >= _MOST_DIGITS:
        raise CellError(f"{shown(text)} has too many digits", f"at most {_MOST_DIGITS} digits")
    if not numbers.allow(number):
        raise CellError(f"{text} is out of range", numbers.says)
    return float(number) + 0.0  # no negative zero


def read_limits(text: str, severities: tuple[str, ...], numbers: Numbers) -> dict[str, float]:
    """Return the limits of a severity map by severity.

    Raises:
        CellError: the text is not a JSON object of known severities and allowed numbers, or ``warn`` is above ``crit``.
    """
    example = "{" + ", ".join(f'"{name}": {1 if name == "crit" else 0.5}' for name in severities) + "}"
    members = _json(text, f"a JSON object such as {example}")
    if not isinstance(members, _Members):
        raise CellError(f"{shown(text)} is not a JSON object", f"a JSON object such as {example}")
    limits: dict[str, float] = {}
    for name, value in members:
        if name not in severities:
            raise CellError(f"names {shown(name)}", listed(severities) + did_you_mean(name, severities))
        if name in limits:
            raise CellError(f"names {name} twice", "once")
        if not isinstance(value, NumberText):
            raise CellError(f"{name} is not a number: {shown(json.dumps(value, ensure_ascii=False))}", numbers.says)
        limits[name] = read_number(value, numbers)
    if limits.get("warn", 0) > limits.get("crit", float("inf")):
        raise CellError(f"warn {limits['warn']:g} is above crit {limits['crit']:g}", "warn up to crit")
    return limits


def read_values(text: str, values: Values) -> tuple[str, ...]:
    """Return the texts of a list of allowed values.

    Args:
        text: the cell, a JSON array of texts.
        values: the lists that are allowed.

    Raises:
        CellError: the text is no such list.
    """
    example = f'{values.says}, as a JSON array such as ["A", "B"]'
    found = _json(text, example)
    if not isinstance(found, list) or not all(type(value) is str for value in found):
        raise CellError(f"{shown(text)} is not a JSON array of texts", example)
    if len(found) < values.fewest or (values.most is not None and len(found) > values.most):
        raise CellError(f"has {len(found)} values", example)
    for place, value in enumerate(found):
        check_characters(value)
        if not trimmed(value):
            raise CellError("has an empty value", example)
        if trimmed(value) != value:
            raise CellError(f"{shown(value)} has blanks around it", shown(trimmed(value)))
        if value in found[:place]:
            raise CellError(f"names {shown(value)} twice", "once")
        _check_value(value, values)
    return tuple(found)


def read_instant(text: str, *, first: datetime = CALENDAR_START) -> datetime:
    """Return the instant (UTC) of an ISO date or instant; without an offset it is UTC.

    Args:
        text: the cell or value.
        first: the earliest instant that is allowed.

    Raises:
        CellError: it is not an instant, does not exist, or lies before ``first`` or after the calendar of rules.
    """
    allowed = f"an ISO date or instant from {first.year:04} to 9998 UTC, such as {_EXAMPLES}"
    try:
        instant = datetime.fromisoformat(text if _INSTANT.fullmatch(text) else "")
        instant = instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise CellError(f"{shown(text)} is not an instant", allowed) from None
    if not first <= instant < _CALENDAR_END:
        raise CellError(f"{shown(text)} is outside the calendar of rules", allowed)
    return instant


def _check_value(value: str, values: Values) -> None:
    """Refuse a value that is not of its kind."""
    if values.kind is ValueKind.CURRENCY and not _CURRENCY.fullmatch(value):
        raise CellError(f"{shown(value)} is not a currency", values.says)
    if values.kind is ValueKind.PATTERN and (problem := pattern_problem(value, groups=values.groups)):
        raise CellError(f"{shown(value)} {problem}", values.says)
    if values.kind is ValueKind.INSTANT:
        read_instant(value, first=datetime.min.replace(tzinfo=UTC))


class _Members(list[tuple[str, Any]]):
    """The members of a JSON object, repeated ones included."""


_decode = json.JSONDecoder(
    parse_float=NumberText, parse_int=NumberText, parse_constant=NumberText, object_pairs_hook=_Members
).decode


def _json(text: str, allowed: str) -> Any:
    """The value of a JSON text; numbers stay text, objects their members."""
    try:
        return _decode(text)
    except (ValueError, RecursionError):
        straight = "; JSON wants straight double quotes" if re.search("['‘’“”„‟]", text) else ""  # noqa: RUF001
        raise CellError(f"{shown(text)} is not JSON", allowed + straight) from None
