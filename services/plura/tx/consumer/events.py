"""Turns events into rows under a profile: aliases resolved, values typed, and an order between rows of one key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from plura.tx.consumer.contract import LEDGER, Kind, Type
from plura.tx.consumer.errors import InvalidEventError, parse_error
from plura.tx.consumer.messages import BACKFILL_TOPICS
from plura.tx.consumer.profiles import Profile
from plura.tx.consumer.values import READERS, TEXTS, agree, is_blank

PAYMENT_ORDER_TYPES = (None, "", "PAYMENT_ORDER")
"""Values of related_type with which an entry belongs to a payment order."""

_TEXTS = frozenset({*TEXTS, None})
"""Types of fields for which blank text counts as missing; None stands for names that are not fields."""
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)
_DIGEST_BYTES = 16
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})

Order = tuple[bool, datetime, bool, int, bytes]
"""The row with the greatest order of its key wins: updated_at, then version, missing lowest, then the digest."""


class Row(NamedTuple):
    """A row to write: its key, its values as a line of PostgreSQL's COPY, and its order."""

    key: str
    line: str
    order: Order
    event_at: datetime
    """When the event happened, for lags."""
    skipped_type: str | None = None
    """The related_type that keeps a ledger entry with a related_id out of pairing."""

    @property
    def has_no_version(self) -> bool:
        """Whether the event says nothing about its order."""
        return not self.order[0] and not self.order[2]

    def says_less_than(self, other: Row) -> bool:
        """Whether it loses because it has less information about its order than the other row."""
        (dated, at, numbered, *_), (other_dated, other_at, other_numbered, *_) = self.order, other.order
        return dated < other_dated or (dated == other_dated and at == other_at and numbered < other_numbered)


class Alias(NamedTuple):
    """A field whose value came under an alias."""

    field: str
    name: str


class _Plan(NamedTuple):
    """How the value of a field becomes a cell."""

    name: str
    read: Callable[[Any], Any]
    cell: Callable[[Any], str]
    stand_ins: tuple[str, ...]


class _Names(NamedTuple):
    """The names under which a field may come."""

    field: str
    names: tuple[str, ...]
    rivals: tuple[str, ...]
    """Aliases that are not fields themselves: their value must not contradict the field."""
    is_text: bool
    """Whether blank text counts as missing; for fields of other types it is a bad value."""


@dataclass(frozen=True)
class _Reading:
    """How a kind of event is read under a profile; computed once."""

    kind: Kind
    names: tuple[_Names, ...]
    required: tuple[str, ...]
    types: Mapping[str, Type]
    plans: tuple[_Plan, ...]


class EventReader:
    """Reads events under a profile."""

    def __init__(self, profile: Profile, *, since: datetime | None = None, until: datetime | None = None) -> None:
        """Prepare the reading of each topic; ``since`` and ``until``, both included, are for ``is_in_range``."""
        self.profile = profile
        self._since = since or _EARLIEST
        self._until = until or _LATEST
        readings = {topic: _reading(profile, kind) for topic, kind in profile.topics.items()}
        lines = {BACKFILL_TOPICS[reading.kind.name]: reading for reading in readings.values()}
        self._readings = lines | readings

    def read(self, topic: str, event: Mapping[str, Any]) -> tuple[str, Row, list[Alias]]:
        """Return the kind of an event, its row, and the fields that came under an alias.

        Raises:
            InvalidEventError: the event is bad; the code says how.
        """
        reading = self._readings.get(topic)
        if reading is None:
            raise InvalidEventError(
                "unsupported_topic", f"profile {self.profile.profile_id} knows no topic {topic[:200]}"
            )
        values, hits = _canonical(reading, event)
        lacking = [
            name
            for name in reading.required
            if (value := values.get(name)) is None or (is_blank(value) and reading.types.get(name) in _TEXTS)
        ]
        if lacking:
            raise parse_error(f"missing: {', '.join(lacking)}")
        return reading.kind.name, _row(reading, values), hits

    def is_in_range(self, row: Row) -> bool:
        """Whether the event happened from ``since`` to ``until``."""
        return self._since <= row.event_at <= self._until


def _reading(profile: Profile, kind: Kind) -> _Reading:
    contract = [field.name for field in kind.fields if field.required]
    types = {field.name: field.type for field in kind.fields}
    return _Reading(
        kind=kind,
        names=tuple(
            _Names(
                field,
                names,
                tuple(name for name in names if name not in types) if field in types else (),
                types.get(field) in _TEXTS,
            )
            for field, names in profile.aliases[kind.name].items()
        ),
        required=tuple(dict.fromkeys([*profile.core_required[kind.name], *contract])),
        types=types,
        plans=tuple(
            _Plan(
                name=field.name,
                read=READERS[field.type],
                cell=_CELLS[field.type],
                stand_ins=field.stand_ins,
            )
            for field in kind.fields
        ),
    )


def _canonical(reading: _Reading, event: Mapping[str, Any]) -> tuple[dict[str, Any], list[Alias]]:
    """Give each field the value of its first name that has a value.

    Raises:
        InvalidEventError: two names of a field contradict each other. An alias that is a field itself may differ.
    """
    values = dict(event)
    hits = []
    for field, names, rivals, is_text in reading.names:
        own = event.get(field)
        if own is not None and field == names[0] and not (is_text and is_blank(own)):
            for rival in rivals:
                if rival in event:
                    break
            else:
                continue  # the common case: only its own name is present
        given = [name for name in names if (value := event.get(name)) is not None and not (is_text and is_blank(value))]
        if not given:
            continue
        first = given[0]
        if first != field:
            values[field] = event[first]
            hits.append(Alias(field, first))
        for repeated in given[1:]:
            is_rival = repeated in rivals or (repeated == field and field in reading.types)
            if is_rival and not agree(event[first], event[repeated], reading.types[field]):
                raise InvalidEventError("contract_core_violation", f"{first} and {repeated} contradict each other")
    return values, hits


def _row(reading: _Reading, values: Mapping[str, Any]) -> Row:
    typed: dict[str, Any] = {}
    cells = []
    for name, read, cell, stand_ins in reading.plans:
        value = values.get(name)
        if value is None and stand_ins:
            value = next((found for name in stand_ins if (found := values.get(name)) is not None), None)
        if value is None:
            typed[name] = None
            cells.append(_NULL)
            continue
        try:
            found = read(value)
        except InvalidEventError as error:
            raise InvalidEventError(error.code, f"{name}: {error.detail}") from None
        typed[name] = found
        cells.append(cell(found))
    line = "\t".join(cells)
    updated_at, version = typed["updated_at"], typed["version"]
    digest = hashlib.blake2b(line.encode(), digest_size=_DIGEST_BYTES).digest()
    order = (updated_at is not None, updated_at or _EARLIEST, version is not None, version or 0, digest)
    key = typed[reading.kind.key.name]
    if reading.kind is not LEDGER:
        return Row(key, line, order, updated_at or typed["created_at"])
    related_type = typed["related_type"]
    skips = typed["related_id"] and related_type not in PAYMENT_ORDER_TYPES
    return Row(key, line, order, typed["event_time"], related_type if skips else None)


_NULL = "\\N"


def _text_cell(value: str) -> str:
    # hardly any text needs escaping, and checking is twenty times as fast as translating
    return value if value.isprintable() and "\\" not in value else value.translate(_ESCAPES)


@lru_cache(maxsize=1024)
def _time_cell(value: datetime) -> str:
    # the times of an event are often equal; without its zone, which is UTC, a time is formatted in half the time
    return value.replace(tzinfo=None).isoformat(timespec="microseconds") + "+00:00"


_CELLS: Mapping[Type, Callable[[Any], str]] = {
    Type.ID: _text_cell,
    Type.WORD: _text_cell,
    Type.NAME: _text_cell,
    Type.AMOUNT: str,
    Type.SIGNED_AMOUNT: str,
    Type.TIME: _time_cell,
    Type.VERSION: str,
}
"""A value in the text format of COPY."""
