"""Bronze: JSON lines of load batches to typed rows."""

import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import NoReturn, TypeAlias

from .clock import as_utc
from .numbers import money

Value: TypeAlias = str | int | bool | Decimal | datetime | None

META = {"source_extracted_at": "timestamp", "source_system": "string", "ingested_at": "timestamp"}
COLUMNS: dict[str, dict[str, str]] = {
    "user_wallets_raw": {
        "user_id": "string",
        "balance": "decimal",
        "frozen_amount": "decimal",
        "currency": "string",
        "updated_at": "timestamp",
        "is_deleted": "boolean",
    },
    "transaction_ledger_raw": {
        "tx_id": "string",
        "wallet_id": "string",
        "type": "string",
        "amount": "decimal",
        "currency": "string",
        "related_id": "string",
        "created_at": "timestamp",
        "entry_created_at": "timestamp",
        "updated_at": "timestamp",
    },
    "payment_orders_raw": {
        "order_id": "string",
        "user_id": "string",
        "merchant_name": "string",
        "amount": "decimal",
        "currency": "string",
        "status": "string",
        "created_at": "timestamp",
        "updated_at": "timestamp",
    },
    "orders_raw": {
        "order_id": "bigint",
        "user_id": "string",
        "total_amount": "decimal",
        "currency": "string",
        "status": "string",
        "created_at": "timestamp",
        "updated_at": "timestamp",
    },
    "order_items_raw": {
        "item_id": "bigint",
        "order_id": "bigint",
        "product_id": "bigint",
        "quantity": "int",
        "price_at_purchase": "decimal",
        "updated_at": "timestamp",
    },
    "products_raw": {
        "product_id": "bigint",
        "product_name": "string",
        "price_krw": "decimal",
        "stock_quantity": "int",
        "category": "string",
        "is_display": "boolean",
        "updated_at": "timestamp",
    },
}
SPELLINGS: dict[tuple[str, str], tuple[str, ...]] = {
    ("transaction_ledger_raw", "type"): ("entry_type", "type"),
    ("transaction_ledger_raw", "created_at"): ("event_time", "source_created_at", "created_at"),
    ("transaction_ledger_raw", "entry_created_at"): ("created_at",),
    ("payment_orders_raw", "created_at"): ("created_at", "event_time"),
    ("orders_raw", "created_at"): ("created_at", "event_time"),
}
INTEGER_BITS = {"bigint": 64, "int": 32}
INTEGER_DIGITS = 16  # of decimal(18,2)

BLANKS = " \t\n\r\f\v"
INVISIBLE = re.compile(
    "SOFT HYPHEN|ARABIC LETTER MARK|MONGOLIAN VOWEL SEPARATOR|COMBINING GRAPHEME JOINER|BYTE ORDER MARK|ZERO WIDTH .*"
    "|HANGUL .*FILLER|HALFWIDTH HANGUL FILLER|(MONGOLIAN FREE )?VARIATION SELECTOR[ -].*|INTERLINEAR ANNOTATION .*"
    "|KHMER VOWEL INHERENT A[AQ]|BRAILLE PATTERN BLANK"
)
"""Names of the characters without width outside the block of general punctuation, whose format characters all count."""


def is_around_text(character: str) -> bool:
    """Whether a character is white space of Unicode, a control character, or has no width."""
    is_format = 0x2000 <= ord(character) <= 0x206F and unicodedata.category(character) in {"Cf", "Cn"}
    is_format = is_format or 0xFFF0 <= ord(character) <= 0xFFF8  # not assigned, and never to be seen
    is_space = unicodedata.category(character) in {"Zs", "Zl", "Zp", "Cc"}
    return is_format or is_space or bool(INVISIBLE.fullmatch(unicodedata.name(character, "")))


AROUND_TEXT = "".join(character for character in map(chr, range(0x10000)) if is_around_text(character))
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
TIMESTAMP = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"([T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(:(?P<second>[0-9]{2})(\.(?P<fraction>[0-9]+))?)?"
    r"(?P<offset>Z|[+-][0-9]{2}(:?[0-5][0-9])?)?)?"
)
FIRST_INSTANT = datetime(1900, 1, 1, tzinfo=UTC)  # from here on all engines keep the same instants
LAST_INSTANT = datetime(9999, 12, 31, 14, 59, 59, 999999, tzinfo=UTC)  # the last one whose KST day has a date


@dataclass(frozen=True)
class Batch:
    """One loaded file: `table` is the Bronze table without schema, `lines` its lines in file order."""

    table: str
    lines: tuple[str, ...]
    extracted_at: datetime | None
    loaded_at: datetime
    batch_seq: int
    withdrawn: bool = False


@dataclass(frozen=True, kw_only=True)
class BronzeRow:
    """One line of a batch. A malformed line has no values.

    `unreadable` names the keys whose value does not fit the type of its column, `remote` those with an instant outside
    the years that are kept.
    """

    table: str
    ingest_seq: int
    raw: str
    ingested_at: datetime
    source_extracted_at: datetime | None
    malformed: bool = False
    values: dict[str, Value] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    remote: tuple[str, ...] = ()

    def text(self, column: str) -> str | None:
        """Text without surrounding blanks; a blank text is NULL."""
        value = self.values.get(column)
        return (value.strip(AROUND_TEXT) or None) if isinstance(value, str) else None

    def amount(self, column: str) -> Decimal | None:
        """Money value."""
        value = self.values.get(column)
        return value if isinstance(value, Decimal) else None

    def integer(self, column: str) -> int | None:
        """Whole number."""
        value = self.values.get(column)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def flag(self, column: str) -> bool | None:
        """Truth value."""
        value = self.values.get(column)
        return value if isinstance(value, bool) else None

    def instant(self, column: str) -> datetime | None:
        """Instant in UTC."""
        value = self.values.get(column)
        return value if isinstance(value, datetime) else None


class NumberText(str):
    """A JSON number as it is written in the line, so that no digit is lost."""

    __slots__ = ()


def standing_batches(batches: Iterable[Batch]) -> list[Batch]:
    """Registered batches that are not withdrawn, in order of arrival.

    The same table, content and extraction instant is one batch: the first load names its arrival, the last
    one whether it stands (loading a withdrawn file again reinstates it).
    """
    registry: dict[tuple[str, tuple[str, ...], datetime | None], Batch] = {}
    for batch in sorted(batches, key=lambda batch: batch.batch_seq):
        key = (batch.table, batch.lines, as_utc(batch.extracted_at) if batch.extracted_at else None)
        registry[key] = replace(registry.get(key, batch), withdrawn=batch.withdrawn)
    return [batch for batch in registry.values() if not batch.withdrawn]


def bronze_rows(batches: Iterable[Batch]) -> list[BronzeRow]:
    """Rows of all standing batches in order of arrival; blank lines are skipped."""
    return [
        parse_line(batch, number, line)
        for batch in standing_batches(batches)
        for number, line in enumerate(batch.lines, start=1)
        if line.strip()
    ]


def parse_line(batch: Batch, number: int, line: str) -> BronzeRow:
    """Row of one line; `number` is its 1-based place in the file."""
    extracted_at = as_utc(batch.extracted_at) if batch.extracted_at else None
    row = BronzeRow(
        table=batch.table,
        ingest_seq=batch.batch_seq * 2**32 + number,
        raw=line,
        ingested_at=as_utc(batch.loaded_at),
        source_extracted_at=extracted_at,
    )
    record = parse_object(line)
    if record is None:
        return replace(row, malformed=True)
    values: dict[str, Value] = {}
    unreadable: list[str] = []
    remote: list[str] = []
    for column, kind in (COLUMNS[batch.table] | META).items():
        held = [key for key in SPELLINGS.get((batch.table, column), (column,)) if record.get(key) is not None]
        given = record[held[0]] if held else None
        values[column] = convert(given, kind)
        if values[column] is None and not is_blank(given, kind):
            names = remote if kind == "timestamp" and is_remote(given) else unreadable
            names += [held[0]] if held[0] not in names else []
    row = replace(row, values=values, unreadable=tuple(unreadable), remote=tuple(remote))
    return replace(row, source_extracted_at=row.instant("source_extracted_at") or extracted_at)


def is_blank(given: object, kind: str) -> bool:
    """Whether nothing is given: null, or a text of blanks where no text is wanted."""
    return given is None or (kind != "string" and isinstance(given, str) and not given.strip(BLANKS))


def parse_object(line: str) -> dict[str, object] | None:
    """The line's JSON object, numbers as NumberText; None when the line is not one strict JSON object.

    Of a key that stands there twice the first one counts. Half of a surrogate pair is no text.
    """
    try:
        line.encode("utf-8")
        parsed = json.loads(
            line,
            parse_int=NumberText,
            parse_float=NumberText,
            parse_constant=refuse_constant,
            object_pairs_hook=first_of_each_key,
        )
        json.dumps(json.loads(line, parse_int=str, object_pairs_hook=list), ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def first_of_each_key(members: list[tuple[str, object]]) -> dict[str, object]:
    """Members of an object by key."""
    record: dict[str, object] = {}
    for key, value in members:
        record.setdefault(key, value)
    return record


def refuse_constant(name: str) -> NoReturn:
    """NaN and the infinities are no JSON."""
    raise ValueError(name)


def convert(given: object, kind: str) -> Value:
    """JSON value as a value of the column type; None when it does not fit."""
    if given is None:
        return None
    match kind:
        case "string":
            return to_text(given)
        case "decimal":
            return to_decimal(given)
        case "timestamp":
            return to_timestamp(given)
        case "boolean":
            return to_boolean(given)
        case _:
            return to_integer(given, INTEGER_BITS[kind])


def to_text(given: object) -> str | None:
    """Strings as they are, numbers in plain digits, booleans as words; objects and arrays do not fit."""
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, NumberText):
        return plain_digits(given)
    return str(given) if isinstance(given, str) else None


def plain_digits(given: NumberText) -> str | None:
    """The value of a number without exponent and superfluous digits, None beyond a thousand digits."""
    try:
        number = Decimal(given)
    except InvalidOperation:
        return None
    sign, digits, exponent = number.as_tuple()
    if not number or not isinstance(exponent, int):
        return "0"
    if abs(number.adjusted()) > 1000:
        return None
    whole = Fraction(number)
    if whole.denominator == 1:
        return str(whole.numerator)
    decimals = -exponent
    text = "".join(map(str, digits)).rjust(decimals + 1, "0")
    return f"{'-' if sign else ''}{text[:-decimals]}.{text[-decimals:].rstrip('0')}"


def to_number(given: object) -> Decimal | None:
    """Exact number of a JSON number or of a string that spells one."""
    if not isinstance(given, str) or not NUMBER.fullmatch(given.strip(BLANKS)):
        return None
    try:
        return Decimal(given.strip(BLANKS))
    except InvalidOperation:  # an exponent beyond what any column holds
        return None


def to_decimal(given: object) -> Decimal | None:
    """decimal(18,2), never rounded."""
    number = to_number(given)
    if number is None or (number and number.adjusted() >= INTEGER_DIGITS):
        return None
    cents = money(number)
    return abs(cents) if not cents and not number else (cents if cents == number else None)


def to_integer(given: object, bits: int) -> int | None:
    """Whole number of the given width."""
    number = to_number(given)
    if number is None or (number and not -20 <= number.adjusted() <= 20):
        return None
    whole = int(number)
    return whole if whole == number and -(2 ** (bits - 1)) <= whole < 2 ** (bits - 1) else None


def to_boolean(given: object) -> bool | None:
    """true, false or these words in any case; the numbers 1 and 0, and the texts of these digits."""
    if isinstance(given, bool):
        return given
    text = plain_digits(given) if isinstance(given, NumberText) else given
    known = {"true": True, "false": False, "1": True, "0": False}
    return known.get(text.strip(BLANKS).lower()) if isinstance(text, str) else None


def to_timestamp(given: object) -> datetime | None:
    """ISO-8601 instant in UTC; naive is UTC, a date alone its midnight, digits beyond microseconds are cut.

    Instants before 1900 and after the KST year 9999 do not fit.
    """
    parts = timestamp_parts(given)
    if parts is None:
        return None
    try:
        instant = datetime(
            int(parts["year"]),
            int(parts["month"]),
            int(parts["day"]),
            int(parts["hour"] or 0),
            int(parts["minute"] or 0),
            int(parts["second"] or 0),
            int((parts["fraction"] or "").ljust(6, "0")[:6]),
            tzinfo=to_offset(parts["offset"]),
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return instant if FIRST_INSTANT <= instant <= LAST_INSTANT else None


def timestamp_parts(given: object) -> dict[str, str] | None:
    """Fields of a text that is written as an instant."""
    if not isinstance(given, str) or isinstance(given, NumberText):
        return None
    found = TIMESTAMP.fullmatch(given.strip(BLANKS))
    return found.groupdict() if found else None


def is_remote(given: object) -> bool:
    """Whether a text is an instant of the calendar in a year that is not kept.

    The calendar repeats after 400 years, so the fields are looked at in a year that Python knows.
    """
    parts = timestamp_parts(given)
    if parts is None or to_timestamp(given) is not None:
        return False
    year = 2000 + int(parts["year"]) % 400
    moved = f"{year}{given.strip(BLANKS)[4:]}" if isinstance(given, str) else ""
    return to_timestamp(moved) is not None


def to_offset(text: str | None) -> timezone:
    """Time zone of Z, +09, +0900 or +09:00."""
    if text is None or text == "Z":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
