"""What a file of rules means, once more and without the product's code: its versions, their days and their limits.

It is strict: whatever it does not read to the last character is refused, so that nothing of an accepted file is lost.
"""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from string import ascii_uppercase
from typing import Any, NoReturn

COLUMNS = (
    "rule_id,domain,metric,scope,threshold,severity_map,allowed_values,effective_start_ts,comment".split(",")  # noqa: SIM905
)
OPEN_END = datetime(9999, 12, 31)
FIRST = datetime(1970, 1, 1)

BRONZE = {name: f"bronze.{name}_raw" for name in ("transaction_ledger", "user_wallets", "payment_orders", "orders")}
GUARDED = {BRONZE["transaction_ledger"], BRONZE["user_wallets"], BRONZE["payment_orders"]}
CLEANED = {f"silver.{n}" for n in ("wallet_snapshot", "ledger_entries", "order_events", "order_items", "products")}

# reader → metrics → tables that a rule may be limited to
READERS: dict[str, dict[str, set[str]]] = {
    "limits": {
        "dq/freshness_sec": GUARDED,
        "dq/freshness_sec_day": GUARDED,
        "dq/completeness_zero_windows": GUARDED,
        "dq/completeness_zero_windows_day": GUARDED,
        "ledger/drift_abs": set(),
        "ledger/supply_diff_abs": set(),
    },
    "share limits": {
        "dq/dup_rate_tx_id": {BRONZE["transaction_ledger"]},
        "dq/dup_rate_user_id": {BRONZE["user_wallets"]},
        "dq/dup_rate_order_id": {BRONZE["payment_orders"]},
        "dq/contract_bad_records_rate": GUARDED,
    },
    "share stop": {"silver/bad_records_rate": CLEANED},
    "minutes": {"dq/tile_minutes": set()},
    "rows": {"silver/bad_records_min_rows": CLEANED},
    "hours": {"ledger/snapshot_tolerance_hours": set()},
    "money": {"ledger/supply_opening": set()},
    "texts": {
        "silver/payment_status_allowed": {BRONZE["payment_orders"], BRONZE["orders"]},
        "silver/entry_type_allowed": {BRONZE["transaction_ledger"]},
        "ledger/payment_failed_status": set(),
        "ledger/payment_refunded_status": set(),
    },
    "currencies": {"silver/currency_allowed": set(BRONZE.values())},
    "instant": {"silver/earliest_instant": set()},
    "patterns": {"silver/overdraft_allowed": set()},
    "link": {"analytics/order_link_pattern": set()},
}
READER_OF = {metric: reader for reader, metrics in READERS.items() for metric in metrics}


class NotReadError(Exception):
    """Something of the file is not read."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """One version in gold.dim_rule_scd2 (instants UTC without a zone), with the days it is used for and its limits."""

    rule_id: str
    domain: str
    metric: str
    scope: str | None
    threshold: float | None
    severity_map: Mapping[str, float] | None
    allowed_values: Sequence[str] | None
    comment: str | None
    start: datetime
    end: datetime

    @property
    def days(self) -> tuple[date, date] | None:
        """First KST day whose start (15:00 UTC the day before) lies in the validity, and the first one after it."""
        first, after = _next_kst_day(self.start), date(9999, 12, 31)
        if self.end != OPEN_END:
            after = _next_kst_day(self.end)
        return (first, after) if first < after else None

    @property
    def limits(self) -> tuple[float | None, float | None, float | None]:
        """Limits of warn, crit and fail."""
        if self.severity_map:
            return (self.severity_map.get("warn"), self.severity_map.get("crit"), self.severity_map.get("fail"))
        return (None, self.threshold, self.threshold)


def read_file(content: bytes) -> list[Expected]:
    """Versions of the file.

    Raises:
        NotReadError: something of it is not read.
    """
    versions = [_version(row) for row in _rows(content)]
    if not versions or len({version.rule_id for version in versions}) < len(versions):
        _refuse("no rule, or an id twice")
    rules: dict[tuple[str, str, str | None], list[datetime]] = {}
    for version in versions:
        rules.setdefault((version.domain, version.metric, version.scope), []).append(version.start)
    if any(len(set(starts)) < len(starts) for starts in rules.values()):
        _refuse("two versions from one instant on")
    return [
        Expected(
            **vars(version)
            | {
                "end": min(
                    (s for s in rules[version.domain, version.metric, version.scope] if s > version.start),
                    default=OPEN_END,
                )
            }
        )
        for version in versions
    ]


def _next_kst_day(instant: datetime) -> date:
    """The first KST day that does not start before the instant."""
    kst = instant + timedelta(hours=9)
    return kst.date() if kst.time() == datetime.min.time() else kst.date() + timedelta(days=1)


def _refuse(why: str) -> NoReturn:
    raise NotReadError(why)


def _rows(content: bytes) -> list[dict[str, str]]:
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
        lines = list(csv.reader(io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n")), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise NotReadError(str(error)) from None
    if not lines or sorted(lines[0]) != sorted(COLUMNS):
        _refuse("the columns")
    if any(len(line) != len(COLUMNS) for line in lines if line):
        _refuse("a row of another length")
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:] if any(_text(cell) for cell in line)]


def _text(cell: str) -> str | None:
    return None if cell.strip().casefold() in ("", "null") else cell


def _plain(cell: str | None) -> str | None:
    """The text of a cell; blanks around it, line breaks and control characters are not read."""
    if cell is None:
        return None
    if not cell.isprintable() and any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u2029" for c in cell):
        _refuse("control characters")
    try:
        cell.encode()
    except UnicodeEncodeError:
        _refuse("half a character")
    return cell


def _tight(cell: str | None) -> str | None:
    text = _plain(cell)
    if text is not None and (text != text.strip() or text[0] in INVISIBLE or text[-1] in INVISIBLE):
        _refuse("blanks around")
    return text


INVISIBLE = "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u2800\u3164\ufeff\uffa0" + "".join(
    chr(code)
    for first, last in [
        (0x180B, 0x180F),
        (0x200B, 0x200F),
        (0x202A, 0x202E),
        (0x2060, 0x206F),
        (0xFE00, 0xFE0F),
        (0xFFF0, 0xFFFB),
    ]
    for code in range(first, last + 1)
)


def _version(row: dict[str, str]) -> Expected:
    cells = {name: _text(cell) for name, cell in row.items()}
    rule_id, domain, metric, scope = (_tight(cells[name]) for name in ("rule_id", "domain", "metric", "scope"))
    _plain(cells["comment"])
    key = f"{domain}/{metric}"
    reader = READER_OF.get(key)
    if not (rule_id and domain and metric) or reader is None:
        _refuse("no id, or a metric that nothing reads")
    if scope is not None and scope not in READERS[reader][key]:
        _refuse("a scope that nothing reads")
    threshold, severity_map, allowed = (cells[name] for name in ("threshold", "severity_map", "allowed_values"))
    limits = _limits(reader, severity_map)
    values = _values(reader, allowed)
    number = _number(reader, _tight(threshold))
    if reader in {"limits", "share limits", "share stop"} and number is None and not limits:
        _refuse("neither threshold nor limits")
    if reader in {"minutes", "rows", "hours", "money"} and number is None:
        _refuse("no threshold")
    return Expected(
        rule_id=rule_id,
        domain=domain,
        metric=metric,
        scope=scope,
        threshold=number,
        severity_map=limits,
        allowed_values=values,
        comment=cells["comment"],
        start=_instant(_tight(cells["effective_start_ts"])),
        end=OPEN_END,
    )


def _number(reader: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        _refuse("no number")
    written_plainly = text.isascii() and "e" not in text.casefold() and text[0] != "+" and "_" not in text
    whole = text.lstrip("-").partition(".")[0]
    if not (
        written_plainly and number.is_finite() and whole and text[-1] != "." and not (whole[0] == "0" and whole != "0")
    ):
        _refuse("not a plain number")
    digits = number.as_tuple()
    significant = "".join(map(str, digits.digits)).strip("0")
    cents = number * 100 == (number * 100).to_integral_value()
    fits = {
        "limits": number >= 0,
        "share limits": 0 <= number <= 1,
        "share stop": 0 <= number <= 1,
        "minutes": number in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60),
        "rows": number >= 0 and number == number.to_integral_value(),
        "hours": 0 <= number <= 100_000,
        "money": cents,
    }
    if not fits.get(reader, False) or len(significant) > 15 or abs(number) >= 10**15:
        _refuse("a number out of range, or one that nothing reads")
    if number != round(number, 9):
        _refuse("more than nine decimals")
    return abs(float(number)) if number == 0 else float(number)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        _refuse("a key twice")
    return dict(pairs)


def _json(text: str) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_pairs,
            parse_int=Literal,
            parse_float=Literal,
            parse_constant=lambda _: _refuse("NaN"),
        )
    except (ValueError, RecursionError):
        _refuse("no JSON")


class Literal(str):
    """A number as it is written."""

    __slots__ = ()


def _limits(reader: str, text: str | None) -> dict[str, float] | None:
    known = {"limits": {"warn", "crit"}, "share limits": {"warn", "crit"}, "share stop": {"fail"}}.get(reader)
    if text is None:
        return None
    limits = _json(_plain(text) or "")
    if known is None or not isinstance(limits, dict) or not set(limits) <= known:
        _refuse("limits that nothing reads")
    read = {}
    for name, value in limits.items():
        number = _number(reader, value) if isinstance(value, Literal) else None
        if number is None:
            _refuse("a limit that is no number")
        read[name] = number
    if "warn" in read and "crit" in read and read["warn"] > read["crit"]:
        _refuse("warn above crit")
    return read


def _values(reader: str, text: str | None) -> list[str] | None:
    lists = {"texts": (1, 99), "currencies": (1, 99), "instant": (1, 1), "patterns": (0, 99), "link": (1, 1)}
    if reader not in lists:
        if text is not None:
            _refuse("values that nothing reads")
        return None
    values = _json(_plain(text) or "null")
    fewest, most = lists[reader]
    if not isinstance(values, list) or not fewest <= len(values) <= most:
        _refuse("no list of that length")
    if not all(isinstance(value, str) and not isinstance(value, Literal) and _text_of_list(value) for value in values):
        _refuse("a value that is no text")
    if len(set(values)) < len(values):
        _refuse("a value twice")
    if reader == "currencies" and not all(len(value) == 3 and set(value) <= set(ascii_uppercase) for value in values):
        _refuse("no code of three capital letters")
    if reader == "instant":
        _instant(values[0], first=datetime(1, 1, 1))
    if reader in {"patterns", "link"}:
        _check_patterns(values, {1} if reader == "link" else set(range(99)))
    return values


def _check_patterns(values: list[str], groups: set[int]) -> None:
    for value in values:
        try:
            found = re.compile(value).groups
        except re.error:
            _refuse("no pattern")
        if found not in groups:
            _refuse("another number of groups")


def _text_of_list(value: str) -> bool:
    return bool(value.strip(INVISIBLE + " ")) and _tight(value) is not None


def _instant(text: str | None, *, first: datetime = FIRST) -> datetime:
    if text is None:
        return FIRST
    if not re.fullmatch(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d(:?\d\d)?)?)?", text, re.ASCII):
        _refuse("no ISO instant")
    if re.search(r"[T ].*[+-]\d\d$", text):
        text += "00"
    for form in ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f"):
        for read in (text, f"{text}+0000"):
            try:
                instant = datetime.strptime(read.replace("T", " "), f"{form}%z").astimezone(UTC).replace(tzinfo=None)
            except ValueError:
                continue
            except OverflowError:
                _refuse("outside the calendar")
            if not first <= instant < datetime(9999, 1, 1):
                _refuse("outside the calendar of rules")
            return instant
    _refuse("an instant that does not exist")
