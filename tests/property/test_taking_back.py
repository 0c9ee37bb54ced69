"""After a load is taken back, and a run, the lake is that of a warehouse that never saw it.

The suite tries a few histories, always the same ones. PLURA_EXAMPLES=50 tries that many, other ones each time, and cuts
down the first that fails.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lakes import Lake
from tests.oracle.guardrail import LEDGER
from tests.oracle.lake import TableRow
from tests.property.comparing import changes, differences, published, windows_and_exceptions
from tests.property.histories import ALL, Killed, Run, Step, TakeBack, TakenBack, Wait, taken_back
from tests.property.lines import at, day, entry, loaded, payment_order, snapshot
from tests.property.playing import Played
from tests.property.test_lake_equals_oracle import CLOSED, OPEN, UNLIMITED, tried

if TYPE_CHECKING:
    from pathlib import Path

    from dbt.contracts.graph.manifest import Manifest


PIPELINE_DAY = "gold.pipeline_day"


def play(work: Path, manifest: Manifest, steps: tuple[Step, ...], begin: datetime = OPEN) -> Played:
    """A lake after a history."""
    played = Played(lake=Lake(work=work, manifest=manifest, now=begin, checks=False))
    played.play(*steps)
    return played


def tables(played: Played, last: Run, now: datetime) -> dict[str, list[TableRow]]:
    """Every table that counts, every window of the guardrail and every open exception, after one last run."""
    played.lake.now = max(played.lake.now, now)
    played.play(last)
    if last.pipelines == ALL:
        assert differences(played.lake, played.expected()) == []
    return published(played.lake) | windows_and_exceptions(played.lake)


def end(work: Path, manifest: Manifest, *steps: Step) -> dict[str, list[TableRow]]:
    """These tables after a history, and a run of what is due when all its days are over."""
    return tables(play(work, manifest, steps), Run(), CLOSED)


GOOD = loaded(
    user_wallets=[snapshot(at(n, 0.1), balance=str(10 * n)) for n in range(3)],
    transaction_ledger=[entry(at(n, 9), tx_id=f"good_{n}") for n in range(2)],
    payment_orders=[payment_order(at(n, 9), order_id=f"po_{n}") for n in range(2)],
)
"""Two days in which nothing is wrong."""

GUARDRAIL, SILVER = Run(pipelines=("guardrail",)), Run(pipelines=("silver",))
BACK = TakeBack(load=1)


@pytest.fixture(scope="module")
def never(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> dict[str, list[TableRow]]:
    """The warehouse that saw nothing but the good lines."""
    return end(tmp_path_factory.mktemp("never"), manifest, GOOD)


LATER = Wait(hours=24 * 7)
"""When the wrong lines come; one from the future of its load would be quarantined for that."""

WRONG_DATES = {
    "an entry, the year before": loaded(transaction_ledger=[entry(at(-30), tx_id="wrong")]),
    "a balance": loaded(user_wallets=[snapshot(at(-9, 20), user_id="w9"), snapshot(at(6, 20), user_id="w9")]),
    "an order": loaded(payment_orders=[payment_order(at(-9), order_id="wrong", user_id=None)]),
    "a rejected line": loaded(transaction_ledger=[entry(at(-9), tx_id="wrong", type="SURCHARGE")]),
    "lines of one day that others have as well": loaded(
        transaction_ledger=[entry(at(1, 10), tx_id="wrong", type="MINT", amount="5")],
        user_wallets=[snapshot(at(0, 0.1), balance="70")],
    ),
}


@pytest.mark.parametrize("name", WRONG_DATES)
def test_days_and_findings_that_only_a_withdrawn_line_called_for_are_gone(
    tmp_path: Path, manifest: Manifest, never: dict[str, list[TableRow]], name: str
) -> None:
    assert changes(never, end(tmp_path, manifest, GOOD, LATER, WRONG_DATES[name], Run(), BACK)) == []


WRONG = loaded(transaction_ledger=[entry(at(-4), tx_id="wrong"), entry(at(6), tx_id="wrong_too")])
OTHER_WAYS: dict[str, tuple[Step, ...]] = {
    "it comes and goes twice": (Run(), BACK, Run(), TakeBack(load=1, reinstate=True), Run(), BACK),
    "it is withdrawn before any run": (BACK,),
    "pipelines run apart": (Run(), BACK, SILVER, Run(pipelines=("controls",)), GUARDRAIL),
    "the next run names other days": (Run(), BACK, Run(first=day(0), last=day(1))),
    "every run names the days that its load touched": (
        Run(first=day(-4), last=day(6)),
        BACK,
        Run(first=day(-4), last=day(6)),
    ),
    "a run is killed on the way": (Run(), BACK, Killed(run=Run(), percent=30), Killed(run=Run(), percent=70)),
    "a run that is killed had begun with it": (Killed(run=Run(), percent=60), BACK),
}


@pytest.mark.parametrize("name", OTHER_WAYS)
def test_the_order_of_runs_makes_no_difference(
    tmp_path: Path, manifest: Manifest, never: dict[str, list[TableRow]], name: str
) -> None:
    assert changes(never, end(tmp_path, manifest, GOOD, LATER, WRONG, *OTHER_WAYS[name])) == []


def test_a_warehouse_of_which_everything_is_withdrawn_is_empty(tmp_path: Path, manifest: Manifest) -> None:
    after = end(tmp_path, manifest, GOOD, Run(), TakeBack(load=0))
    without_data = {"gold.dim_rule_scd2", "gold.pseudonym_salt_version"}
    assert {table: rows for table, rows in after.items() if rows and table not in without_data} == {}


def test_a_correction_takes_the_days_of_the_wrong_date_along(
    tmp_path: Path, manifest: Manifest, never: dict[str, list[TableRow]]
) -> None:
    """Nothing is withdrawn: the later version of the entry has the right date. The guardrail counts both lines."""
    wrong = loaded(transaction_ledger=[entry(at(-9), tx_id="good_0")])
    right = loaded(transaction_ledger=[entry(at(0, 9), tx_id="good_0", updated_at=at(2))])
    after = end(tmp_path, manifest, GOOD, wrong, Run(pipelines=("silver", "controls", "analytics")), right)
    gold = [name for name in never if name.startswith("gold.") and name not in {"gold.exception_ledger", PIPELINE_DAY}]
    assert changes({name: never[name] for name in gold}, {name: after[name] for name in gold}) == []
    assert {row["date_kst"] for row in after[PIPELINE_DAY] if row["pipeline_name"] == "pipeline_b"} == {day(0), day(1)}


def test_a_day_that_was_named_for_itself_stays_whatever_is_withdrawn(tmp_path: Path, manifest: Manifest) -> None:
    """No row reached the first day when it was named; the second one was named for the wrong row."""
    wrong = loaded(transaction_ledger=[entry(at(-3), tx_id="wrong")])
    named = (Run(first=day(-5), last=day(-5)), Run(first=day(-3), last=day(-3)))
    after = end(tmp_path, manifest, GOOD, wrong, *named, Run(), BACK)
    days: dict[str, set[tuple[object, object]]] = {}
    for row in after[PIPELINE_DAY]:
        days.setdefault(row["pipeline_name"], set()).add((row["date_kst"], row["is_named"]))
    wanted = {(day(-5), True), (day(0), False), (day(1), False)}
    assert days == {"pipeline_a": wanted, "pipeline_b": wanted, "pipeline_c": wanted}


def test_alarms_of_the_running_day_are_open_again_when_the_lines_that_resolved_them_leave(
    tmp_path: Path, manifest: Manifest
) -> None:
    """13:00 KST is now: the ledger was silent from 12:10 to 12:40; withdrawn are its lines since."""
    silent = loaded(transaction_ledger=[entry(at(3, 12 + minute / 60), tx_id=f"t{minute}") for minute in (2, 8)])
    again = loaded(transaction_ledger=[entry(at(3, 12 + minute / 60), tx_id=f"t{minute}") for minute in (41, 48, 55)])
    early = OPEN - timedelta(hours=1)
    watch = Run(pipelines=("guardrail",), watch=True)
    steps = (silent, watch, Wait(hours=1), again, watch, BACK)
    ends = {
        name: tables(play(tmp_path / name, manifest, history, early), watch, OPEN)
        for name, history in {"with": steps, "without": (silent, watch, Wait(hours=1), watch)}.items()
    }
    assert changes(ends["without"], ends["with"]) == []
    open_tiles = [row for row in ends["with"]["gold.exception_ledger"] if row["source_table"] == LEDGER]
    assert len({row["window_start_ts"] for row in open_tiles}) > 3


Play: TypeAlias = Callable[[str, tuple[Step, ...]], Played]


@pytest.fixture(scope="module")
def play_in(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Play:
    """Plays a history in a new folder; hypothesis prints the arguments of a test, and a manifest is megabytes."""

    def play_there(name: str, steps: tuple[Step, ...]) -> Played:
        return play(tmp_path_factory.mktemp(name), manifest, steps)

    return play_there


@UNLIMITED
@tried(2)
@given(history=taken_back(), watch=st.booleans(), now=st.sampled_from((OPEN, CLOSED)))
def test_a_withdrawn_load_leaves_no_trace(play_in: Play, history: TakenBack, watch: bool, now: datetime) -> None:
    """But that days were asked for by name: those that only the load reached are asked for once more."""
    taken, never = play_in("with", history.steps), play_in("without", history.without)
    for played in (taken, never):
        played.play(Run())
    for pipeline, days in never.named.items():
        for lost in sorted(days - taken.named[pipeline]):
            taken.play(Run(pipelines=(pipeline,), first=lost, last=lost))
    assert taken.named == never.named
    last = Run(watch=watch)
    assert changes(tables(never, last, now), tables(taken, last, now)) == []
    for played in (taken, never):
        shutil.rmtree(played.lake.work)
