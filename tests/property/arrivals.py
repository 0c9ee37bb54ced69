"""Lines that arrive in Bronze, as hypothesis strategies.

Ids, amounts and instants come from small pools: lines meet, repeat, contradict and overtake each other all the time,
and most instants lie on an edge (midnight KST, the tolerance of a boundary snapshot, a microsecond beside either).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from hypothesis import strategies as st

from tests.oracle.clock import day_start
from tests.property.rulebooks import FIRST_DAY

Line: TypeAlias = dict[str, Any] | str
Files: TypeAlias = dict[str, list[Line]]

DAYS = 5
ENTRY_TYPES = ("CHARGE", "PAYMENT", "RECEIVE", "REFUND_OUT", "REFUND_IN", "MINT", "BURN", "WITHDRAW", "HOLD", "RELEASE")
SOURCES = ("user_wallets", "transaction_ledger", "payment_orders", "orders", "order_items", "products")
OFFSETS = (
    timedelta(0),
    timedelta(hours=12),
    timedelta(microseconds=-1),
    timedelta(microseconds=1),
    timedelta(hours=12, microseconds=-1),
    timedelta(hours=12, microseconds=1),
    timedelta(hours=3),
    timedelta(hours=6),
    timedelta(hours=9),
    timedelta(hours=18),
    timedelta(hours=21, minutes=30),
    timedelta(hours=23, minutes=59, seconds=59),
)
SPELLINGS: tuple[Callable[[datetime], str], ...] = (
    lambda instant: instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    lambda instant: instant.strftime("%Y-%m-%d %H:%M:%S.%f"),
    lambda instant: (instant + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M:%S.%f+09:00"),
)
AMOUNTS = ("10.00", "5", "20.50", "330", 10, 7.25, "0.01", "9999999999999999.99")
BAD_AMOUNTS = (None, "ten", "1.005", "0", "-5", "1e40", True)
BALANCES = ("0", "10.00", "20", "330.00", "40.5")
BAD_BALANCES = (None, "much", "-1", "0.001")
ODD_INSTANTS = ("soon", 1_772_409_600_000, {"at": "2026-03-02"}, "1970-01-01T00:00:00Z", "0001-01-01", "2062-03-02")
"""Values of a time that nobody can read or mean."""
STATUSES = ("PENDING", "PAID", "REFUNDED", "FAILED", "CANCELLED")


def instants() -> st.SearchStrategy[str]:
    """An instant on or beside an edge of the days, in one of the spellings of sources."""
    return st.builds(
        lambda day, offset, spell: spell(day_start(FIRST_DAY) + timedelta(days=day) + offset),
        st.integers(0, DAYS - 1),
        st.sampled_from(OFFSETS),
        st.sampled_from(SPELLINGS),
    )


def mostly(usual: Sequence[Any], odd: Sequence[Any], one_in: int = 15) -> st.SearchStrategy[Any]:
    """A usual value, now and then an odd one."""
    return st.integers(1, one_in).flatmap(lambda n: st.sampled_from(odd if n == one_in else usual))


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A value or none."""
    return st.one_of(st.none(), strategy)


def update_times() -> st.SearchStrategy[Any]:
    """An instant, none, or now and then something else."""
    return st.integers(1, 20).flatmap(lambda n: st.sampled_from(ODD_INSTANTS) if n == 20 else maybe(instants()))


def _ids(prefix: str, count: int) -> tuple[str, ...]:
    return tuple(f"{prefix}{n}" for n in range(1, count + 1))


WALLETS = _ids("w", 4)
REFERENCES = ("po_1", "po_002", "po_3", "r1", "r2")

FIELDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "user_wallets": {
        "user_id": mostly((*WALLETS, 4), (None, " ", " w1 ", "\u00a0w1\u200b", 4.0, {"id": "w1"}), 15),
        "balance": mostly(BALANCES, BAD_BALANCES),
        "frozen_amount": mostly(("0", "5.00"), BAD_BALANCES, 25),
        "currency": mostly((None, None, "KRW"), ("USD", " krw ", 410), 25),
        "is_deleted": mostly((None, None, None, False, 0), (True, 1, "1", "yes"), 8),
        "updated_at": update_times(),
    },
    "transaction_ledger": {
        "tx_id": mostly(_ids("t", 10), (None, " t1 "), 25),
        "wallet_id": mostly((*WALLETS, "4"), (None, "  ", 4, 4.0, "w1\u3000"), 15),
        "type": mostly(ENTRY_TYPES, ("SURCHARGE", None, " CHARGE "), 12),
        "amount": mostly(AMOUNTS, BAD_AMOUNTS),
        "currency": mostly((None, None, "KRW"), ("USD", ["KRW"]), 25),
        "related_id": mostly((None, *REFERENCES), ("", "po_1\ufeff", {"type": "order"})),
        "event_time": st.one_of(*[st.none()] * 9, instants()),
        "created_at": st.one_of(*[instants()] * 12, st.sampled_from((None, *ODD_INSTANTS))),
        "updated_at": update_times(),
    },
    "payment_orders": {
        "order_id": mostly(REFERENCES[:4], (None, 3)),
        "user_id": mostly(WALLETS, (None, " ")),
        "merchant_name": st.sampled_from((None, "cafe", "shop", " ")),
        "amount": mostly(AMOUNTS, BAD_AMOUNTS),
        "currency": mostly((None, None, "KRW"), ("USD",), 25),
        "status": mostly((*STATUSES, None), ("UNHEARD", {"code": "PAID"}), 10),
        "created_at": st.one_of(*[instants()] * 9, st.sampled_from((None, *ODD_INSTANTS))),
        "updated_at": update_times(),
    },
    "orders": {
        "order_id": mostly((1, 2, 3, "2"), (None, "x")),
        "user_id": mostly(WALLETS, (None,)),
        "total_amount": mostly(AMOUNTS, BAD_AMOUNTS),
        "status": mostly((*STATUSES, None), ("UNHEARD",), 10),
        "created_at": st.one_of(*[instants()] * 9, st.none()),
        "updated_at": update_times(),
    },
    "order_items": {
        "item_id": mostly((1, 2, 3, 4, "4"), (None,)),
        "order_id": mostly((1, 2, 3), (None,)),
        "product_id": mostly((1, 2, 3), (None,)),
        "quantity": mostly((1, 2, 3, None), (-1, "few", 0)),
        "price_at_purchase": mostly((*BALANCES, None), ("-5", "dear")),
        "updated_at": update_times(),
    },
    "products": {
        "product_id": mostly((1, 2, 3), (None,)),
        "product_name": st.sampled_from(("bean", None)),
        "category": st.sampled_from(("BEANS", "TEA", None, " ")),
        "price_krw": mostly((*BALANCES, None), ("-5", "dear")),
        "is_display": mostly((True, False, None, "true", 1), ("maybe",)),
        "stock_quantity": mostly((1,), ("few",), 25),
        "updated_at": update_times(),
    },
}
EXTRACTED = update_times()
BROKEN_LINES = ("{", "[]", "no json", '{"tx_id": NaN}', '"text"', "", '{"user_id": "w1", "balance": "1"')
WEIGHTS = ("transaction_ledger",) * 6 + ("user_wallets",) * 4 + ("payment_orders",) * 3 + SOURCES[3:]


@dataclass(frozen=True, kw_only=True)
class _Fresh:
    """A new line."""

    source: str
    record: Line


@dataclass(frozen=True, kw_only=True)
class _Again:
    """An earlier line of the source once more, `back` lines ago, with some fields changed."""

    source: str
    back: int
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Transfer:
    """The sides of a payment between two wallets, of which there may be more than one."""

    records: list[dict[str, Any]]


Arrival: TypeAlias = _Fresh | _Again | _Transfer


@st.composite
def _records(draw: st.DrawFn, source: str) -> dict[str, Any]:
    record = {name: draw(strategy) for name, strategy in FIELDS[source].items()}
    return record | {"source_extracted_at": draw(EXTRACTED)}


@st.composite
def _changes(draw: st.DrawFn, source: str) -> dict[str, Any]:
    """New values of up to three fields; the keys mostly stay, so that versions of one row meet."""
    fields = FIELDS[source] | {"source_extracted_at": EXTRACTED}
    names = draw(st.lists(st.sampled_from([*fields, "source_extracted_at"]), max_size=3, unique=True))
    return {name: draw(fields[name]) for name in names}


@st.composite
def _transfers(draw: st.DrawFn) -> _Transfer:
    out_type, in_type = draw(st.sampled_from((("PAYMENT", "RECEIVE"), ("REFUND_OUT", "REFUND_IN"))))
    related, amount = draw(st.sampled_from(REFERENCES)), draw(st.sampled_from(AMOUNTS))
    records = []
    for entry_type in draw(st.sampled_from(((out_type, in_type), (in_type, out_type), (out_type, in_type, in_type)))):
        base = draw(_records("transaction_ledger"))
        side = {"type": entry_type, "related_id": related, "amount": draw(mostly((amount,), AMOUNTS, 8))}
        records.append(base | side)
    return _Transfer(records=records)


@st.composite
def arrivals(draw: st.DrawFn) -> Arrival:
    """One or a few lines that arrive together."""
    kind = draw(st.integers(0, 19))
    if kind == 0:
        return _Fresh(source=draw(st.sampled_from(SOURCES)), record=draw(st.sampled_from(BROKEN_LINES)))
    if kind <= 3:
        return draw(_transfers())
    source = draw(st.sampled_from(WEIGHTS))
    if kind <= 9:
        return _Again(source=source, back=draw(st.integers(1, 6)), changes=draw(_changes(source)))
    return _Fresh(source=source, record=draw(_records(source)))


def files_of(lines: Sequence[Arrival], seen: dict[str, list[Line]]) -> Files:
    """Lines by source, in order; `seen` are the lines of all loads so far and is carried on."""
    files: Files = {}

    def put(source: str, record: Line) -> None:
        files.setdefault(source, []).append(record)
        seen[source].append(record)

    for line in lines:
        match line:
            case _Transfer():
                for record in line.records:
                    put("transaction_ledger", record)
            case _Again() if seen[line.source]:
                earlier = seen[line.source][-min(line.back, len(seen[line.source]))]
                put(line.source, earlier if isinstance(earlier, str) else earlier | line.changes)
            case _Again():
                continue
            case _Fresh():
                put(line.source, line.record)
    return files
