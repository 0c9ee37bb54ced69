"""JSON values of events as typed values; a value that cannot be typed is rejected with the reason.

The published schemas (``schemas``) express the same rules in JSON Schema, except for two: lone surrogates, which no
pattern of JSON Schema can match, and names that come twice, which it does not see.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from plura.tx.consumer.contract import Type
from plura.tx.consumer.errors import InvalidEventError, internal_error, parse_error
from plura.tx.consumer.patterns import CLOCK
from plura.tx.db import LONGEST_ID

LONGEST_WORD = 255
LONGEST_NAME = 500
_AMOUNT_DIGITS = 16
"""Digits before the point that the columns hold."""
_VERSION_LIMIT = 2**63
_MOST_VERSION_DIGITS = 19
"""Longer numbers are not computed: 1e999999999 is short as text and huge as an integer."""
_CENT = Decimal("0.01")
_AMOUNT = re.compile(r"-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,2})?")
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,18}")
_TIME = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{CLOCK}:[0-5][0-9](?:\.[0-9]{{1,6}})?(?:Z|[+-]{CLOCK})?")
_FINER = re.compile(r"[.,][0-9]{7}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NUL = "a text has a NUL character"


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class _Repeated(dict[str, Any]):
    """A JSON object that has a name twice with different values: it is ambiguous."""

    name: str


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        for name, value in members:
            if type(value) is not type(found[name]) or value != found[name]:
                repeated = _Repeated(found)
                repeated.name = name
                return repeated
    return found


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_object)


def read_object(payload: bytes | None) -> dict[str, Any]:
    """Return the JSON object of a message; nothing is an empty object. Numbers keep the digits they were sent with.

    Raises:
        InvalidEventError: ``internal_error`` for bytes that are not UTF-8 and numbers out of range, ``parse_error`` for
            a value that is not a JSON object, ``contract_core_violation`` for an object that contradicts itself.
    """
    if not payload:
        return {}
    try:
        found = _DECODER.decode(payload.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise internal_error(f"the message is not UTF-8: {error.reason} at byte {error.start}") from None
    except InvalidOperation:
        raise internal_error("a number is out of range") from None
    except (ValueError, RecursionError) as error:
        raise parse_error(f"the message is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise parse_error(f"the message is not a JSON object but {_kind(found)}")
    if isinstance(found, _Repeated):
        raise InvalidEventError("contract_core_violation", f"{found.name[:200]} comes twice with different values")
    return found


def is_blank(value: Any) -> bool:
    """Whether a value is text of white space only."""
    return isinstance(value, str) and not value.strip()


def read_id(value: Any) -> str:
    """Return an id without the white space around it.

    Raises:
        InvalidEventError: it is too long, has control characters, or is no text.
    """
    if isinstance(value, str) and not value.isprintable() and _CONTROLS.search(value):
        raise internal_error(_NUL) if "\x00" in value else parse_error("an id has control characters")
    return _text(value, LONGEST_ID)


def read_word(value: Any) -> str:
    """Return short text, without the white space around it.

    Raises:
        InvalidEventError: it is too long, or no text.
    """
    return _text(value, LONGEST_WORD)


def read_name(value: Any) -> str:
    """Return text of a line, without the white space around it.

    Raises:
        InvalidEventError: it is too long, or no text.
    """
    return _text(value, LONGEST_NAME)


def read_signed_amount(value: Any) -> Decimal:
    """Return a decimal number of two places: a JSON number of that value, or text of digits and a point.

    Raises:
        InvalidEventError: it is not a number, has more places than two, or more than 16 digits before them.
    """
    if isinstance(value, str):
        if not _AMOUNT.fullmatch(value):
            raise parse_error(f"an amount is not written as 123.45: {value[:40]!r}")
        rounded = Decimal(value).quantize(_CENT)
    elif isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise parse_error(f"an amount is {_kind(value)}")
    else:
        number = Decimal(value)
        if number and number.adjusted() >= _AMOUNT_DIGITS:
            raise internal_error("an amount is out of range")
        rounded = number.quantize(_CENT)
        if rounded != number:
            raise parse_error(f"an amount has more than two places: {str(number)[:40]}")
    return rounded or abs(rounded)  # there is no -0.00


def read_amount(value: Any) -> Decimal:
    """Return a decimal number of two places that is not negative.

    Raises:
        InvalidEventError: it is not.
    """
    number = read_signed_amount(value)
    if number < 0 or (not number and isinstance(value, str) and value[0] == "-"):
        raise parse_error("an amount has a sign")
    return number


def read_time(value: Any) -> datetime:
    """Return an instant in UTC.

    Raises:
        InvalidEventError: it is not a text of the form 2026-02-13T01:02:03.456Z, or is finer than a microsecond: the
            digits that would be cut off might decide which of two events is the latest.
    """
    if not isinstance(value, str):
        raise parse_error(f"a time is {_kind(value)}")
    return _instant(value)


@lru_cache(maxsize=1024)
def _instant(text: str) -> datetime:
    if not _TIME.fullmatch(text):
        finer = _FINER.search(text)
        said = "has more than six fractional digits" if finer else "is not written as 2026-02-13T01:02:03.456Z"
        raise parse_error(f"a time {said}: {text[:40]!r}")
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise parse_error(f"a time is not in the calendar: {text!r}") from None
    offset = found.utcoffset()
    if offset and found.year in (MINYEAR, MAXYEAR):
        raise parse_error(f"a time of the first or the last year is not in UTC: {text!r}")
    return found.astimezone(UTC) if offset else found.replace(tzinfo=UTC)


def read_version(value: Any) -> int:
    """Return a whole number of 64 bits: a JSON number of that value, or text of digits.

    Raises:
        InvalidEventError: it is not a whole number, or out of range.
    """
    if isinstance(value, str):
        if not _WHOLE.fullmatch(value):
            raise parse_error(f"a version is not written as 123: {value[:40]!r}")
    elif isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise parse_error(f"a version is {_kind(value)}")
    elif isinstance(value, Decimal):
        if value and value.adjusted() >= _MOST_VERSION_DIGITS:
            raise internal_error("a version is out of range")
        if value != value.to_integral_value():
            raise parse_error(f"a version is not a whole number: {str(value)[:40]}")
    number = int(value)
    if not -_VERSION_LIMIT <= number < _VERSION_LIMIT:
        raise internal_error("a version is out of range")
    return number


READERS: Mapping[Type, Callable[[Any], Any]] = {
    Type.ID: read_id,
    Type.WORD: read_word,
    Type.NAME: read_name,
    Type.AMOUNT: read_amount,
    Type.SIGNED_AMOUNT: read_signed_amount,
    Type.TIME: read_time,
    Type.VERSION: read_version,
}
TEXTS = frozenset({Type.ID, Type.WORD, Type.NAME})


def agree(left: Any, right: Any, type_: Type) -> bool:
    """Whether two values mean the same, like ``1`` and ``"1"``, or two spellings of an instant."""
    if left == right and type(left) is type(right):
        return True
    read = READERS[type_]
    try:
        return bool(read(left) == read(right))
    except InvalidEventError:
        return False


def _text(value: Any, longest: int) -> str:
    if not isinstance(value, str):
        raise parse_error(f"a text is {_kind(value)}")
    if len(value) > longest:
        raise parse_error(f"a text is longer than {longest} characters")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise internal_error("a text has half a character") from None
    if "\x00" in value:
        raise internal_error(_NUL)
    return value.strip()


def _kind(value: Any) -> str:
    names = {
        dict: "an object",
        _Repeated: "an object",
        list: "a list",
        bool: "true or false",
        type(None): "null",
        str: "a text",
    }
    return names.get(type(value), "a number")
