"""JSON values of events as typed values; what cannot be one is refused with the reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from plura.tx.consumer.contract import Type
from plura.tx.consumer.refusals import RefusedError, internal_error, parse_error
from plura.tx.db import LONGEST_ID

LONGEST_WORD = 255
LONGEST_NAME = 500
_AMOUNT_DIGITS = 16
"""Digits before the point that the columns hold."""
_VERSION_LIMIT = 2**63
_MOST_VERSION_DIGITS = 19
"""Longer ones are not even computed: 1e999999999 is short as text and endless as a whole number."""
_CENT = Decimal("0.01")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)


def read_object(payload: bytes | None) -> dict[str, Any]:
    """Return the JSON object of a message; nothing is an empty object. Numbers keep the digits they were sent with.

    Raises:
        RefusedError: ``internal_error`` for bytes that are no UTF-8 and numbers beyond all bounds, ``parse_error`` for
            what is no JSON object.
    """
    if not payload:
        return {}
    try:
        found = _DECODER.decode(payload.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise internal_error(f"the message is no UTF-8: {error.reason} at byte {error.start}") from None
    except InvalidOperation:
        raise internal_error("a number is out of range") from None
    except (ValueError, RecursionError) as error:
        raise parse_error(f"the message is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise parse_error(f"the message is no JSON object but {_kind(found)}")
    return found


def is_missing(value: Any) -> bool:
    """Whether a value counts as not given: null or blank text."""
    return value is None or (isinstance(value, str) and not value.strip())


def read_id(value: Any) -> str:
    """Return text that identifies something.

    Raises:
        RefusedError: it is too long, has control characters, or is no text.
    """
    text = _text(value, LONGEST_ID)
    if not text.isprintable() and any(ord(one) < 32 or 127 <= ord(one) < 160 for one in text):  # noqa: PLR2004
        raise parse_error("an id has control characters")
    return text


def read_word(value: Any) -> str:
    """Return short text.

    Raises:
        RefusedError: it is too long, or no text.
    """
    return _text(value, LONGEST_WORD)


def read_name(value: Any) -> str:
    """Return text of a line.

    Raises:
        RefusedError: it is too long, or no text.
    """
    return _text(value, LONGEST_NAME)


def read_signed_amount(value: Any) -> Decimal:
    """Return a decimal number of two places.

    Raises:
        RefusedError: it is no number, has more places than two, or more than 16 digits before them.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise parse_error(f"an amount is {_kind(value)}")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise parse_error(f"an amount is no number: {value[:40] if isinstance(value, str) else value!r}") from None
    if not number.is_finite():
        raise parse_error(f"an amount is {number}")
    if number and number.adjusted() >= _AMOUNT_DIGITS:
        raise internal_error("an amount is out of range")
    rounded = number.quantize(_CENT)
    if rounded != number:
        raise parse_error(f"an amount has more than two places: {str(number)[:40]}")
    return rounded or abs(rounded)  # there is no -0.00


def read_amount(value: Any) -> Decimal:
    """Return a decimal number of two places that is not negative.

    Raises:
        RefusedError: it is not.
    """
    number = read_signed_amount(value)
    if number < 0:
        raise parse_error("an amount is negative")
    return number


def read_time(value: Any) -> datetime:
    """Return an instant in UTC.

    Raises:
        RefusedError: it is no text in ISO 8601.
    """
    if not isinstance(value, str):
        raise parse_error(f"a time is {_kind(value)}")
    try:
        found = datetime.fromisoformat(value.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise parse_error(f"a time is not in ISO 8601: {value[:40]!r}") from None


def read_version(value: Any) -> int:
    """Return a whole number of 64 bits; decimals lose what is behind the point.

    Raises:
        RefusedError: it is no number, or out of range.
    """
    if not isinstance(value, str | int | Decimal):
        raise parse_error(f"a version is {_kind(value)}")
    if isinstance(value, Decimal) and value and value.adjusted() >= _MOST_VERSION_DIGITS:
        raise internal_error("a version is out of range")
    try:
        number = int(value)
    except ValueError:
        raise parse_error(f"a version is no whole number: {str(value)[:40]!r}") from None
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


def agree(one: Any, other: Any, type_: Type) -> bool:
    """Whether two values mean the same: ``1`` and ``"1"`` do, and so do two spellings of an instant."""
    if one == other and type(one) is type(other):
        return True
    read = READERS[type_]
    try:
        return bool(read(one) == read(other))
    except RefusedError:
        return False


def _text(value: Any, longest: int) -> str:
    if isinstance(value, str):
        text = value.strip()
    elif isinstance(value, Decimal):
        text = str(float(value))
    elif isinstance(value, bool | int):
        text = str(value)
    else:
        raise parse_error(f"a text is {_kind(value)}")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise internal_error("a text has half a character") from None
    if "\x00" in text:
        raise internal_error("a text has a NUL character")
    if len(text) > longest:
        raise parse_error(f"a text is longer than {longest} characters")
    return text


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", bool: "true or false", type(None): "null", str: "a text"}
    return names.get(type(value), "a number")
