"""Small adversarial histories: what arrives in Bronze, and what is done with it in between.

A history is a list of steps. Lines are plain dictionaries as sources write them (or text, where a line is broken), so
that a history that once failed can be read and kept as a test. Ids, amounts and instants come from small pools: lines
meet, repeat, contradict and overtake each other all the time, and most instants lie on an edge (midnight KST, the
tolerance of a boundary snapshot, a microsecond beside either).
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias

from hypothesis import strategies as st

from python_jobs.pipelines import PIPELINES
from tests.dbt_runs import PROJECT
from tests.oracle.clock import day_start

Line: TypeAlias = dict[str, Any] | str
Files: TypeAlias = dict[str, list[Line]]

FIRST_DAY = date(2026, 3, 2)
DAYS = 5
ALL = tuple(PIPELINES)
ENTRY_TYPES = ("CHARGE", "PAYMENT", "RECEIVE", "REFUND_OUT", "REFUND_IN", "MINT", "BURN", "WITHDRAW", "HOLD", "RELEASE")
SOURCES = ("user_wallets", "transaction_ledger", "payment_orders", "orders", "order_items", "products")


@dataclass(frozen=True, kw_only=True)
class Load:
    """Files by source that arrive together; `extracted_at` is the extraction instant of lines that carry none."""

    files: Files
    extracted_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Run:
    """Pipelines run for the days named, or for every day that is due."""

    pipelines: tuple[str, ...] = ALL
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, kw_only=True)
class Withdraw:
    """The batch with this number (counted from 0, modulo the batches there are) is withdrawn, unless it is already."""

    batch: int


@dataclass(frozen=True, kw_only=True)
class Reinstate:
    """The batch with this number stands again, by word or by loading its file once more."""

    batch: int
    by_loading: bool = False


@dataclass(frozen=True, kw_only=True)
class Publish:
    """Another version of the rules counts from now on; a name in `RULES`."""

    rules: str


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Time passes."""

    hours: int


Step: TypeAlias = Load | Run | Withdraw | Reinstate | Publish | Wait


# Rules -----------------------------------------------------------------------------------------------------------


def _published(**changes: Mapping[str, str]) -> str:
    """Text of seeds/rules.csv without a bad-rate gate; `changes` are columns to set, by rule_id.

    A change with `effective_start_ts` is a later version beside the rule that is there.
    """
    with (PROJECT / "seeds" / "rules.csv").open(encoding="utf-8", newline="") as file:
        records = list(csv.DictReader(file))
    columns = list(records[0])
    open_gate = {"threshold": "1", "severity_map": '{"fail": 1}'}
    for rule_id, change in ({"silver_bad_records_default": open_gate} | changes).items():
        place = next((n for n, record in enumerate(records) if record["rule_id"] == rule_id), None)
        if place is None:
            records.append(dict.fromkeys(columns, "") | {"rule_id": rule_id} | dict(change))
        elif "effective_start_ts" in change:
            records.append(records[place] | dict(change) | {"rule_id": f"{rule_id}_later"})
        else:
            records[place] = records[place] | dict(change)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def _from_day(n: int, hour: int = 0) -> str:
    """Start of validity in the seed: `hour` o'clock KST of the n-th day."""
    return f"{day_start(FIRST_DAY + timedelta(days=n)) + timedelta(hours=hour):%Y-%m-%d %H:%M:%S}"


RULES: dict[str, str] = {
    "default": _published(),
    "narrow tolerance": _published(ledger_snapshot_tolerance_default={"threshold": "6"}),
    "no tolerance from day 2": _published(
        ledger_snapshot_tolerance_default={"threshold": "0", "effective_start_ts": _from_day(2)}
    ),
    "wide tolerance from day 1": _published(
        ledger_snapshot_tolerance_default={"threshold": "30", "effective_start_ts": _from_day(1)}
    ),
    "fewer entry types from day 2": _published(
        silver_entry_type_allowed_v1={
            "allowed_values": '["PAYMENT", "RECEIVE", "CHARGE", "SURCHARGE"]',
            "effective_start_ts": _from_day(2),
        }
    ),
    "more statuses": _published(
        silver_payment_status_allowed_v1={"allowed_values": '["PAID", "PENDING", "REFUNDED", "UNHEARD"]'}
    ),
    "lenient controls": _published(
        ledger_recon_abs_default={"threshold": "100", "severity_map": '{"warn": 10, "crit": 100}'},
        ledger_supply_diff_default={"threshold": "50", "severity_map": ""},
    ),
    "supply opening": _published(
        ledger_supply_opening={"domain": "ledger", "metric": "supply_opening", "threshold": "100"}
    ),
    "supply opening from noon of day 2": _published(
        ledger_supply_opening={
            "domain": "ledger",
            "metric": "supply_opening",
            "threshold": "70.5",
            "effective_start_ts": _from_day(2, hour=12),
        }
    ),
    "other statuses count": _published(
        ledger_failed_status_default={"allowed_values": '["FAILED"]', "effective_start_ts": _from_day(1)},
        ledger_refunded_status_default={"allowed_values": '["REFUNDED", "CANCELLED"]'},
    ),
    "other links from day 3": _published(
        analytics_order_link_default={"allowed_values": '["po_([0-9])"]', "effective_start_ts": _from_day(3)}
    ),
    "strict guardrail": _published(
        dq_freshness_day_ledger={"threshold": "3600", "severity_map": '{"warn": 3600, "crit": 7200}'},
        dq_freshness_day_wallets={"threshold": "3600", "severity_map": '{"warn": 3600, "crit": 7200}'},
    ),
    "lenient guardrail from day 1": _published(
        dq_freshness_day_ledger={"severity_map": '{"crit": 604800}', "effective_start_ts": _from_day(1)},
        dq_freshness_day_wallets={"severity_map": '{"crit": 604800}', "effective_start_ts": _from_day(1)},
        dq_zero_windows_day_ledger={"severity_map": '{"crit": 9}', "effective_start_ts": _from_day(1)},
    ),
}


# Lines -----------------------------------------------------------------------------------------------------------

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


def _ids(prefix: str, count: int) -> tuple[str, ...]:
    return tuple(f"{prefix}{n}" for n in range(1, count + 1))


WALLETS = _ids("w", 4)
REFERENCES = ("po_1", "po_2", "po_3", "r1", "r2")

FIELDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "user_wallets": {
        "user_id": mostly(WALLETS, (None, " ", " w1 "), 25),
        "balance": mostly(BALANCES, BAD_BALANCES),
        "frozen_amount": mostly(("0", "5.00"), BAD_BALANCES, 25),
        "is_deleted": mostly((None, None, None, False), (True,), 8),
        "updated_at": maybe(instants()),
    },
    "transaction_ledger": {
        "tx_id": mostly(_ids("t", 10), (None, " t1 "), 25),
        "wallet_id": mostly(WALLETS, (None, "  "), 25),
        "type": mostly(ENTRY_TYPES, ("SURCHARGE", None, " CHARGE "), 12),
        "amount": mostly(AMOUNTS, BAD_AMOUNTS),
        "related_id": mostly((None, *REFERENCES), ("",)),
        "created_at": st.one_of(*[instants()] * 9, st.sampled_from((None, "soon"))),
        "updated_at": st.one_of(st.none(), st.none(), instants()),
    },
    "payment_orders": {
        "order_id": mostly(REFERENCES[:4], (None, 3)),
        "user_id": mostly(WALLETS, (None, " ")),
        "merchant_name": st.sampled_from((None, "cafe", "shop", " ")),
        "amount": mostly(AMOUNTS, BAD_AMOUNTS),
        "status": mostly((*STATUSES, None), ("UNHEARD",), 10),
        "created_at": st.one_of(*[instants()] * 9, st.none()),
        "updated_at": maybe(instants()),
    },
    "orders": {
        "order_id": mostly((1, 2, 3, "2"), (None, "x")),
        "user_id": mostly(WALLETS, (None,)),
        "total_amount": mostly(AMOUNTS, BAD_AMOUNTS),
        "status": mostly((*STATUSES, None), ("UNHEARD",), 10),
        "created_at": st.one_of(*[instants()] * 9, st.none()),
        "updated_at": maybe(instants()),
    },
    "order_items": {
        "item_id": mostly((1, 2, 3, 4, "4"), (None,)),
        "order_id": mostly((1, 2, 3), (None,)),
        "product_id": mostly((1, 2, 3), (None,)),
        "quantity": mostly((1, 2, 3, None), (-1, "few", 0)),
        "price_at_purchase": mostly((*BALANCES, None), ("-5", "dear")),
        "updated_at": maybe(instants()),
    },
    "products": {
        "product_id": mostly((1, 2, 3), (None,)),
        "product_name": st.sampled_from(("bean", None)),
        "category": st.sampled_from(("BEANS", "TEA", None, " ")),
        "price_krw": mostly((*BALANCES, None), ("-5", "dear")),
        "is_display": st.sampled_from((True, False, None, "true", "maybe")),
        "stock_quantity": st.just(1),
        "updated_at": maybe(instants()),
    },
}
EXTRACTED = st.one_of(st.none(), instants())
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


# Histories -------------------------------------------------------------------------------------------------------

PIPELINE_CHOICES = (
    ALL,
    ALL,
    ALL,
    ("silver",),
    ("guardrail",),
    ("guardrail", "silver"),
    ("silver", "controls"),
    ("silver", "analytics"),
    ("silver", "controls", "analytics"),
    ("controls",),
    ("analytics",),
    ("controls", "analytics"),
)


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """A run of some pipelines, mostly of all that is due, sometimes of named days."""
    pipelines = draw(st.sampled_from(PIPELINE_CHOICES))
    if draw(st.integers(0, 2)) < 2:
        return Run(pipelines=pipelines)
    first = FIRST_DAY + timedelta(days=draw(st.integers(-2, DAYS)))
    return Run(pipelines=pipelines, first=first, last=first + timedelta(days=draw(st.integers(0, 2))))


def actions() -> st.SearchStrategy[Step]:
    """What is done between two loads."""
    return st.one_of(
        runs(),
        runs(),
        runs(),
        st.builds(Withdraw, batch=st.integers(0, 9)),
        st.builds(Reinstate, batch=st.integers(0, 9), by_loading=st.booleans()),
        st.builds(Publish, rules=st.sampled_from(list(RULES))),
        st.builds(Wait, hours=st.sampled_from((1, 13, 24, 48))),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Loads of about ten lines, with runs and the like between them."""
    seen: dict[str, list[Line]] = {source: [] for source in SOURCES}
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, 4))):
        lines = list(draw(st.lists(arrivals(), min_size=3, max_size=24)))
        extracted_at = draw(st.sampled_from((None, None, datetime(2026, 3, 4, 3, tzinfo=UTC))))
        steps.append(Load(files=files_of(lines, seen), extracted_at=extracted_at))
        steps += draw(st.lists(actions(), max_size=4))
    return steps


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


@st.composite
def distinct_versions(draw: st.DrawFn) -> list[tuple[str, Line]]:
    """Lines, each with a version time of its own, so that the order of arrival decides nothing."""
    lines = list(draw(st.lists(arrivals(), min_size=6, max_size=40)))
    files = files_of(lines, {source: [] for source in SOURCES})
    flat = [(source, record) for source, records in files.items() for record in records]
    start = day_start(FIRST_DAY)
    versions = draw(st.permutations(range(len(flat))))
    return [
        (source, record if isinstance(record, str) else record | {"source_extracted_at": SPELLINGS[0](at)})
        for (source, record), at in zip(flat, (start + timedelta(hours=2.9 * n) for n in versions), strict=True)
    ]


def split(lines: Sequence[tuple[str, Line]], cuts: Sequence[int]) -> list[Load]:
    """Loads of the lines in their order, cut before the places named."""
    places = [0, *sorted({cut % (len(lines) + 1) for cut in cuts}), len(lines)]
    loads = []
    for low, high in itertools.pairwise(places):
        files: Files = {}
        for source, record in lines[low:high]:
            files.setdefault(source, []).append(record)
        if files:
            loads.append(Load(files=files))
    return loads


def as_arriving(load: Load, extracted_at: datetime) -> Load:
    """The same load with an extraction instant for lines that carry none."""
    return replace(load, extracted_at=extracted_at)
