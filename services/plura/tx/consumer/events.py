"""An event under its profile becomes a row: names resolved, values typed, and an order between rows of one key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from plura.tx.consumer.contract import LEDGER, Field, Kind
from plura.tx.consumer.messages import BACKFILL_TOPICS
from plura.tx.consumer.profiles import Profile
from plura.tx.consumer.refusals import RefusedError, parse_error
from plura.tx.consumer.values import READERS, TEXTS, agree, is_missing

PAYMENT_ORDER_TYPES = (None, "", "PAYMENT_ORDER")
"""Values of related_type with which an entry belongs to a payment order."""

_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)
_DIGEST_BYTES = 16
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})

Order = tuple[bool, datetime, bool, int, bytes]
"""Of two rows of one key the greater one stands: updated_at, then version, missing lowest, then the digest."""


class Row(NamedTuple):
    """A row to write: its key, its values as a line of PostgreSQL's COPY, and what decides against other rows."""

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
        """Whether it loses because it says less about its order than the other row."""
        (dated, at, numbered, *_), (other_dated, other_at, other_numbered, *_) = self.order, other.order
        return dated < other_dated or (dated == other_dated and at == other_at and numbered < other_numbered)


class Alias(NamedTuple):
    """A field whose value came under another name."""

    field: str
    name: str


@dataclass(frozen=True)
class _Reading:
    """How one kind of event is read under one profile; worked out once."""

    kind: Kind
    names: Mapping[str, tuple[str, ...]]
    required: tuple[str, ...]
    fields: tuple[tuple[Field, Callable[[Any], Any], bool], ...]


class EventReader:
    """Reads events under a profile."""

    def __init__(self, profile: Profile, *, since: datetime | None = None, until: datetime | None = None) -> None:
        """Prepare the reading of each topic; only events from ``since`` to ``until``, both included, are wanted."""
        self.profile = profile
        self._since = since or _EARLIEST
        self._until = until or _LATEST
        readings = {topic: _reading(profile, kind) for topic, kind in profile.topics.items()}
        lines = {BACKFILL_TOPICS[one.kind.name]: one for one in readings.values()}
        self._readings = lines | readings

    def read(self, topic: str, event: Mapping[str, Any]) -> tuple[str, Row, list[Alias]]:
        """Return the kind of an event, its row, and the fields that came under another name.

        Raises:
            RefusedError: the event is bad; the code says how.
        """
        reading = self._readings.get(topic)
        if reading is None:
            raise RefusedError("unsupported_topic", f"profile {self.profile.profile_id} knows no topic {topic[:200]}")
        values, hits = _canonical(reading, event)
        lacking = [name for name in reading.required if is_missing(values.get(name))]
        if lacking:
            raise parse_error(f"missing: {', '.join(lacking)}")
        return reading.kind.name, _row(reading, values), hits

    def wants(self, row: Row) -> bool:
        """Whether the event happened in the range that is asked for."""
        return self._since <= row.event_at <= self._until


def _reading(profile: Profile, kind: Kind) -> _Reading:
    contract = [field.name for field in kind.fields if field.required]
    return _Reading(
        kind=kind,
        names=profile.aliases[kind.name],
        required=tuple(dict.fromkeys([*profile.core_required[kind.name], *contract])),
        fields=tuple((field, READERS[field.type], field.type in TEXTS) for field in kind.fields),
    )


def _canonical(reading: _Reading, event: Mapping[str, Any]) -> tuple[dict[str, Any], list[Alias]]:
    """Give each field the value of the first of its names that has one.

    Raises:
        RefusedError: two names of a field contradict each other. A name that is a field itself only stands in.
    """
    values = dict(event)
    hits = []
    own = {field.name: field.type for field, _, _ in reading.fields}
    for field, names in reading.names.items():
        given = [name for name in names if not is_missing(event.get(name))]
        if not given:
            continue
        first = given[0]
        values[field] = event[first]
        if first != field:
            hits.append(Alias(field, first))
        for other in given[1:]:
            if other not in own and field in own and not agree(event[first], event[other], own[field]):
                raise RefusedError("contract_core_violation", f"{first} and {other} contradict each other")
    return values, hits


def _row(reading: _Reading, values: Mapping[str, Any]) -> Row:
    typed: dict[str, Any] = {}
    cells = []
    for field, read, is_text in reading.fields:
        value = values.get(field.name)
        if field.stand_ins and is_missing(value):
            value = next((values[name] for name in field.stand_ins if not is_missing(values.get(name))), None)
        if value is None:
            found = None
        else:
            try:
                found = read(value)
            except RefusedError as error:
                raise RefusedError(error.code, f"{field.name}: {error.detail}") from None
        if field.required and is_text and not value:  # 0 and false name nothing
            raise parse_error(f"missing: {field.name}")
        typed[field.name] = found
        cells.append(_cell(found))
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


def _cell(value: str | Decimal | datetime | int | None) -> str:
    """A value in the text format of COPY."""
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return value.translate(_ESCAPES)
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    return format(value, "f") if isinstance(value, Decimal) else str(value)
