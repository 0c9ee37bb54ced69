"""Reads messages: the text that the loader types, or the reason why it cannot be read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from python_jobs.load.lines import LONGEST_LINE, parse_line, plain_digits
from python_jobs.number_text import NumberText
from python_jobs.stream.feeds import CHANGES, Feed

_SHOWN_OF_LONG = 1000
_WRITES, _DELETE = {"c", "u", "r"}, "d"
_LAST_MS = 253_402_300_799_999


@dataclass(frozen=True, kw_only=True)
class Message:
    """``original`` is the message as text; ``line`` what is typed, None if it cannot be read, for the ``error``."""

    original: str
    line: str | None = None
    error: str = ""


def read_message(feed: Feed, key: bytes | None, value: bytes | None, *, longest: int = LONGEST_LINE) -> Message | None:
    """Return the content of a message of a feed; None for the tombstone that follows a deletion in a topic of changes.

    Args:
        feed: the topic.
        key: key of the message.
        value: value of the message.
        longest: bytes beyond which a message is not read.
    """
    if value is None:
        return None if feed.form == CHANGES else Message(original="", error="no value (null)")
    if len(value) > longest:
        shown = value[:_SHOWN_OF_LONG].decode(errors="backslashreplace")
        return Message(original=f"{shown}…", error=f"{len(value)} bytes are more than {longest}; cut here")
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        shown = value.decode(errors="backslashreplace")
        return Message(original=shown, error=f"not UTF-8 at byte {error.start + 1}")
    return _of_text(feed, key, text)


def _of_text(feed: Feed, key: bytes | None, text: str) -> Message:
    if not text.strip():
        return Message(original=text, error="empty")
    if feed.form != CHANGES:
        return Message(original=text, line=text)
    try:
        return Message(original=text, line=json.dumps(wallet_line(text, key), ensure_ascii=False))
    except ValueError as error:
        return Message(original=text, error=str(error))


def wallet_line(text: str, key: bytes | None) -> dict[str, Any]:
    """Return the line of user_wallets for a change event of the wallets' table.

    The event is an object with ``op`` (c, u, r, d), ``before``, ``after``, ``ts_ms`` and ``source``, bare or below
    ``payload``. The instant of the snapshot is that of the change in the database (``source.ts_ms``), else that of the
    event. A deletion is a snapshot of balance 0 with ``is_deleted``, of the wallet that ``before`` names, else the key.

    Raises:
        ValueError: the text is no such event.
    """
    event = parse_line(text)
    event = event["payload"] if isinstance(event.get("payload"), dict) else event
    op = event.get("op")
    if op == _DELETE:
        row = event.get("before") or _key_fields(key)
        if not isinstance(row, dict):
            raise ValueError("no change event: neither before nor the key names the deleted row")
        row = row | {"balance": "0", "frozen_amount": "0", "is_deleted": "true"}
    elif isinstance(op, str) and op in _WRITES:
        row = event.get("after")
        if not isinstance(row, dict):
            raise ValueError(f"no change event: op {op} without after")
    else:
        raise ValueError(f"no change event: op is {op if isinstance(op, str) else 'missing'}, none of c, u, r, d")
    source = {} if event.get("source") is None else event["source"]
    if not isinstance(source, dict):
        raise ValueError("no change event: source is no object")  # noqa: TRY004 - the content is wrong, not an argument
    stamps = {"source_extracted_at": _first_instant(source.get("ts_ms"), event.get("ts_ms"))}
    if source.get("name") is not None:
        stamps["source_system"] = _by_value(source["name"])
    return {key: _by_value(value) for key, value in row.items()} | stamps


def _by_value(value: Any) -> Any:
    """A number as text in plain digits, so that it is read by its value although the line has it between quotes."""
    return (plain_digits(value) or str(value)) if isinstance(value, NumberText) else value


def _key_fields(key: bytes | None) -> Any:
    """The object in a message's key, None if it holds none."""
    if key is None:
        return None
    try:
        fields = parse_line(key.decode())
    except ValueError:
        return None
    return fields["payload"] if isinstance(fields.get("payload"), dict) else fields


def _first_instant(*milliseconds: object) -> str:
    """The first instant in milliseconds since 1970 as ISO 8601; a connector writes 0 where it does not know one.

    Raises:
        ValueError: there is none, or the first one that is not 0 is not an instant of the calendar.
    """
    given = [value for value in milliseconds if value is not None]
    for value in given:
        text = value if isinstance(value, str) else ""
        if not text.removeprefix("-").isdecimal() or not text.isascii() or int(text) > _LAST_MS:
            break
        if int(text) > 0:
            return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(text))).isoformat()
    raise ValueError("no change event: neither source.ts_ms nor ts_ms is an instant in milliseconds")
