"""What becomes of a set of messages, worked out in plain Python from the contract alone, without the service.

The outcome is a function of the set: order, batches and duplicates play no part.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

LEDGER_TOPIC = "ledger.entry.upserted"
ORDER_TOPIC = "payment.order.upserted"

LEDGER = (
    *("tx_id", "wallet_id", "entry_type", "amount", "amount_signed", "related_id", "related_type"),
    *("event_time", "created_at", "updated_at", "version"),
)
ORDER = ("order_id", "user_id", "merchant_name", "amount", "status", "created_at", "updated_at", "version")
LONGEST = {"merchant_name": 500}
IDS = {"tx_id", "wallet_id", "related_id", "order_id", "user_id"}
TIMES = {"event_time", "created_at", "updated_at"}

Values = dict[str, Any]


class Bad(Exception):  # noqa: N818
    """The event is put aside under a code."""


@dataclass
class State:
    """Rows by key, and for each code the payloads that were put aside."""

    ledger: dict[str, Values] = field(default_factory=dict)
    orders: dict[str, Values] = field(default_factory=dict)
    pairs: dict[str, Values] = field(default_factory=dict)
    dead: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))


def state_of(messages: Iterable[tuple[str, bytes]]) -> State:
    """Return the rows that a set of messages leaves."""
    state = State()
    candidates: dict[tuple[str, str], list[Values]] = defaultdict(list)
    for topic, payload in set(messages):
        try:
            values = _read(topic, payload)
        except Bad as error:
            state.dead[str(error)].add(payload)
            continue
        candidates[topic, values["tx_id" if topic == LEDGER_TOPIC else "order_id"]].append(values)
    for (topic, key), found in candidates.items():
        rows, columns = (state.ledger, LEDGER) if topic == LEDGER_TOPIC else (state.orders, ORDER)
        rows[key] = max(found, key=lambda values: _rank(values, columns))
    state.pairs = _pairs(state)
    return state


def _rank(values: Values, columns: tuple[str, ...]) -> tuple[Any, ...]:
    dated, version = values["updated_at"], values["version"]
    return (
        (1, dated.timestamp(), dated.microsecond) if dated else (0, 0.0, 0),
        (1, version) if version is not None else (0, 0),
        hashlib.blake2b(_copy_line(values, columns), digest_size=16).hexdigest(),
    )


def _copy_line(values: Values, columns: tuple[str, ...]) -> bytes:
    cells = []
    for column in columns:
        value = values[column]
        if value is None:
            cells.append(r"\N")
        elif isinstance(value, datetime):
            cells.append(f"{value.year:04}" + value.strftime("-%m-%dT%H:%M:%S.%f+00:00"))
        elif isinstance(value, str):
            cells.append(value.replace("\\", r"\\").replace("\t", r"\t").replace("\n", r"\n").replace("\r", r"\r"))
        else:
            cells.append(str(value))
    return "\t".join(cells).encode()


def _pairs(state: State) -> dict[str, Values]:
    entries: dict[str, list[Values]] = defaultdict(list)
    for row in state.ledger.values():
        if row["related_id"] and (row["related_type"] or "PAYMENT_ORDER") == "PAYMENT_ORDER":
            entries[row["related_id"]].append(row)
    pairs = {}
    for order_id, rows in entries.items():
        order = state.orders.get(order_id)
        sides = {}
        for side in ("PAYMENT", "RECEIVE"):
            own = sorted((row for row in rows if row["entry_type"] == side), key=lambda row: row["tx_id"].encode())
            sides[side] = max(own, key=lambda row: row["event_time"], default=None)
        payment, receive = sides["PAYMENT"], sides["RECEIVE"]
        amounts = [row["amount"] for row in (order, payment, receive) if row]
        touched = [row["updated_at"] or row["event_time"] for row in rows]
        if order:
            touched.append(order["updated_at"] or order["created_at"])
        pairs[order_id] = {
            "payment_tx_id": payment and payment["tx_id"],
            "receive_tx_id": receive and receive["tx_id"],
            "payer_wallet_id": payment and payment["wallet_id"],
            "payee_wallet_id": receive and receive["wallet_id"],
            "amount": amounts[0] if amounts else None,
            "status": order and order["status"],
            "event_time": max(row["event_time"] for row in rows),
            "updated_at": max(touched),
        }
    return pairs


def _read(topic: str, payload: bytes) -> Values:
    event = _object(payload)
    if topic == LEDGER_TOPIC:
        return _ledger(event)
    if topic == ORDER_TOPIC:
        return _order(event)
    raise Bad("unsupported_topic")


def _ledger(event: Values) -> Values:
    values = dict(event)
    values["entry_type"] = _first(event, ["entry_type", "type"], _text, _blank)
    # created_at is a field of its own: it stands in, and contradicts nobody
    at = _first(event, ["event_time", "source_created_at"], _time, _null)
    values["event_time"] = at if at is not None else event.get("created_at")
    values["version"] = _first(event, ["version", "source_version"], _version, _null)
    created = [event.get("created_at"), event.get("source_created_at"), values["event_time"]]
    values["created_at"] = next((value for value in created if value is not None), None)
    return _typed(values, LEDGER, required=["tx_id", "wallet_id", "entry_type", "amount", "event_time"])


def _order(event: Values) -> Values:
    values = dict(event)
    values["version"] = _first(event, ["version", "source_version"], _version, _null)
    return _typed(values, ORDER, required=["order_id", "amount", "status", "created_at"])


def _typed(values: Values, columns: tuple[str, ...], *, required: list[str]) -> Values:
    if any(_blank(values.get(name)) for name in required):
        raise Bad("parse_error")
    row: Values = {}
    for column in columns:
        value = values.get(column)
        if value is None:
            row[column] = None
        elif column in TIMES:
            row[column] = _time(value)
        elif column.startswith("amount"):
            row[column] = _amount(value, signed=column == "amount_signed")
        elif column == "version":
            row[column] = _version(value)
        else:
            row[column] = _text(value, longest=LONGEST.get(column, 255), is_id=column in IDS)
    return row


def _first(event: Values, names: list[str], read: Any, is_missing: Any) -> Any:
    given = [event[name] for name in names if not is_missing(event.get(name))]
    if len(given) > 1 and repr(given[0]) != repr(given[1]):
        try:
            same = read(given[0]) == read(given[1])
        except Bad:
            same = False
        if not same:
            raise Bad("contract_core_violation")
    return given[0] if given else event.get(names[0])


def _object(payload: bytes) -> Values:
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        raise Bad("internal_error") from None
    try:
        found = json.loads(text or "{}", parse_float=Decimal, parse_constant=int)
    except ValueError:
        raise Bad("parse_error") from None
    if not isinstance(found, dict):
        raise Bad("parse_error")
    return found


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.strip() == "")


def _null(value: Any) -> bool:
    return value is None


def _text(value: Any, longest: int = 255, *, is_id: bool = False) -> str:
    if not isinstance(value, str):
        raise Bad("parse_error")
    codes = [ord(character) for character in value]
    too_long = len(codes) > longest
    has_controls = any(code < 32 or 127 <= code < 160 for code in codes)
    if is_id and has_controls and 0 not in codes:
        raise Bad("parse_error")
    if too_long and not (is_id and 0 in codes):
        raise Bad("parse_error")
    if 0 in codes or any(0xD800 <= code < 0xE000 for code in codes):
        raise Bad("internal_error")
    return value.strip()


def _time(value: Any) -> datetime:
    """Read by hand: the calendar of ``datetime``, and nothing else of it."""
    if not isinstance(value, str):
        raise Bad("parse_error")
    zone, rest = timedelta(0), value
    if value.endswith("Z"):
        rest = value[:-1]
    elif len(value) > 19 and value[-6] in "+-" and value[-3] == ":":
        hours, minutes = _digits(value[-5:-3]), _digits(value[-2:])
        if hours > 23 or minutes > 59:
            raise Bad("parse_error")
        zone = timedelta(hours=hours, minutes=minutes) * (1 if value[-6] == "+" else -1)
        rest = value[:-6]
    whole, point, fraction = rest.partition(".")
    if [whole[place : place + 1] for place in (4, 7, 10, 13, 16)] != ["-", "-", "T", ":", ":"] or len(whole) != 19:
        raise Bad("parse_error")
    if point and len(fraction) not in range(1, 7):
        raise Bad("parse_error")
    numbers = [_digits(whole[start:end]) for start, end in ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19))]
    year, month, day, hour, minute, second = numbers
    try:
        local = datetime(year, month, day, hour, minute, second, _digits(fraction.ljust(6, "0")), tzinfo=UTC)
    except ValueError:
        raise Bad("parse_error") from None
    if zone and year in (1, 9999):
        raise Bad("parse_error")
    return local - zone


def _digits(text: str) -> int:
    if not text or set(text) - set("0123456789"):
        raise Bad("parse_error")
    return int(text)


def _amount(value: Any, *, signed: bool) -> Decimal:
    if isinstance(value, str):
        sign, unsigned = (-1, value[1:]) if signed and value.startswith("-") else (1, value)
        whole, point, cents = unsigned.partition(".")
        _digits(whole)
        if len(whole) > 16 or (len(whole) > 1 and whole[0] == "0") or (point and len(cents) not in (1, 2)):
            raise Bad("parse_error")
        return Decimal(sign * (_digits(whole) * 100 + _digits(cents.ljust(2, "0")))).scaleb(-2) + 0
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Bad("parse_error")
    number = Decimal(value)
    if not -(10**16) < number < 10**16:
        raise Bad("internal_error")
    if number != round(number, 2) or (number < 0 and not signed):
        raise Bad("parse_error")
    return round(number, 2) + 0


def _version(value: Any) -> int:
    if isinstance(value, str):
        unsigned = value.removeprefix("-")
        if len(unsigned) > 19 or (unsigned[:1] == "0" and value != "0"):
            raise Bad("parse_error")
        number = _digits(unsigned) * (-1 if value.startswith("-") else 1)
    elif isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Bad("parse_error")
    elif abs(value) >= 10**19:
        raise Bad("internal_error")
    elif value != int(value):
        raise Bad("parse_error")
    else:
        number = int(value)
    if not -(2**63) <= number < 2**63:
        raise Bad("internal_error")
    return number
