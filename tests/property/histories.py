"""Small adversarial histories: what arrives in Bronze, and what is done with it in between.

A history is a list of steps. Lines are plain dictionaries as sources write them (or text, where a line is broken), so
that a history that once failed can be read and kept as a test.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

from hypothesis import strategies as st

from python_jobs.pipeline_names import PIPELINES
from tests.oracle.clock import day_start
from tests.property.arrivals import DAYS, FIELDS, SOURCES, SPELLINGS, Files, Line, arrivals, files_of
from tests.property.rulebooks import CHANGES, FIRST_DAY

ALL = tuple(PIPELINES)


@dataclass(frozen=True, kw_only=True)
class Load:
    """Files by source that arrive together; `extracted_at` is the extraction instant of lines that carry none."""

    files: Files
    extracted_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Run:
    """Pipelines run for the days named, or for every day that is due; a run that names none may watch."""

    pipelines: tuple[str, ...] = ALL
    first: date | None = None
    last: date | None = None
    watch: bool = False


@dataclass(frozen=True, kw_only=True)
class Withdraw:
    """The batch with this number (counted from 0, modulo the batches there are) is withdrawn, unless it is already."""

    batch: int


@dataclass(frozen=True, kw_only=True)
class TakeBack:
    """Every batch that came with this load (counted from 0) is withdrawn, or stands again."""

    load: int
    reinstate: bool = False


@dataclass(frozen=True, kw_only=True)
class Reinstate:
    """The batch with this number stands again, by word or by loading its file once more."""

    batch: int
    by_loading: bool = False


@dataclass(frozen=True, kw_only=True)
class Publish:
    """Another rule book counts from now on, with these changes (names in `CHANGES`)."""

    changes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Time passes."""

    hours: int


@dataclass(frozen=True, kw_only=True)
class Killed:
    """A run that is killed when it has sent about `percent` of its statements."""

    run: Run
    percent: int


Step: TypeAlias = Load | Run | Killed | Withdraw | TakeBack | Reinstate | Publish | Wait


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
        return Run(pipelines=pipelines, watch=draw(st.booleans()))
    first = FIRST_DAY + timedelta(days=draw(st.integers(-2, DAYS)))
    return Run(pipelines=pipelines, first=first, last=first + timedelta(days=draw(st.integers(0, 2))))


def rulebooks() -> st.SearchStrategy[tuple[str, ...]]:
    """Changes of the rules, mostly without a soft gate that would hide the verdicts of so few lines."""
    others = st.lists(st.sampled_from(sorted(CHANGES)), max_size=2, unique=True)
    return st.builds(lambda gates, found: (*gates, *found), st.sampled_from((("no soft gate",), ())), others)


def actions() -> st.SearchStrategy[Step]:
    """What is done between two loads."""
    return st.one_of(
        runs(),
        runs(),
        runs(),
        st.builds(Killed, run=runs(), percent=st.integers(0, 99)),
        st.builds(Withdraw, batch=st.integers(0, 9)),
        st.builds(Reinstate, batch=st.integers(0, 9), by_loading=st.booleans()),
        st.builds(Publish, changes=rulebooks()),
        st.builds(Wait, hours=st.sampled_from((1, 13, 24, 48))),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Loads of about ten lines, with runs and the like between them."""
    seen: dict[str, list[Line]] = {source: [] for source in SOURCES}
    steps: list[Step] = [Publish(changes=draw(rulebooks()))]
    for _ in range(draw(st.integers(1, 4))):
        lines = list(draw(st.lists(arrivals(), min_size=3, max_size=24)))
        extracted_at = draw(st.sampled_from((None, None, datetime(2026, 3, 4, 3, tzinfo=UTC))))
        steps.append(Load(files=files_of(lines, seen), extracted_at=extracted_at))
        steps += draw(st.lists(actions(), max_size=4))
    return steps


@dataclass(frozen=True, kw_only=True)
class TakenBack:
    """A history in which one load is taken back, and the same history without it."""

    steps: tuple[Step, ...]
    without: tuple[Step, ...]


FAR_DAYS = (-9, -2, DAYS + 1)
"""Days beside those of the histories; a line with a wrong date stands on one of them."""


@st.composite
def taken_back(draw: st.DrawFn) -> TakenBack:
    """Loads and runs in any order; one load comes among them and is taken back later, perhaps twice."""
    seen: dict[str, list[Line]] = {source: [] for source in SOURCES}
    loads = [draw(_loads(seen)) for _ in range(draw(st.integers(1, 2)))]
    wrong = draw(_loads(seen, far=draw(st.booleans())))
    rest: list[Step] = [*loads]
    for _ in range(draw(st.integers(1, 3))):
        rest.insert(draw(st.integers(0, len(rest))), draw(runs()))
    rest.insert(draw(st.integers(0, len(rest))), Wait(hours=draw(st.sampled_from((1, 24)))))
    places = sorted(draw(st.lists(st.integers(0, len(rest)), min_size=2, max_size=4)))
    places = places[: len(places) // 2 * 2]
    number = sum(isinstance(step, Load) for step in rest[: places[0]])
    inserted: list[Step] = [wrong, *(TakeBack(load=number, reinstate=n % 2 == 1) for n in range(len(places) - 1))]
    steps = list(rest)
    for place, step in reversed(list(zip(places, inserted, strict=True))):
        steps.insert(place, step)
    rules = Publish(changes=draw(rulebooks()))
    return TakenBack(steps=(rules, *steps), without=(rules, *rest))


@st.composite
def _loads(draw: st.DrawFn, seen: dict[str, list[Line]], *, far: bool | None = None) -> Load:
    """A load; with `far` its lines are unlike those of any other, and with a true one some have a wrong date."""
    files = files_of(draw(st.lists(arrivals(), min_size=3, max_size=16)), seen)
    if far is None:
        return Load(files=files)
    if far:
        instant = day_start(FIRST_DAY + timedelta(days=draw(st.sampled_from(FAR_DAYS)))) + timedelta(hours=9)
        for source in draw(st.lists(st.sampled_from(SOURCES[:4]), min_size=1, unique=True)):
            record = {name: draw(values) for name, values in FIELDS[source].items()}
            dated = dict.fromkeys(("created_at", "source_extracted_at"), SPELLINGS[0](instant)) | {"updated_at": None}
            files.setdefault(source, []).append(record | dated)
    return Load(files={source: [_marked(record) for record in records] for source, records in files.items()})


def _marked(record: Line) -> Line:
    """The same line, unlike any other file's."""
    return f"{record} " if isinstance(record, str) else record | {"note": "taken back"}


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
