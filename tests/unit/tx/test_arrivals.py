"""Since when a message waits: never before it can have come, and never after it was seen."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plura.kit.kafka_consumer.arrivals import Arrivals, claimed


@pytest.mark.parametrize(
    "milliseconds", [None, -1, 0, 1, 1_795_000_000, -(2**63), 1_000_000_000_000 // 1000, 1_293_839_999_999]
)
def test_a_number_that_is_no_time_of_kafkas_days_is_none(milliseconds: int | None) -> None:
    assert claimed(milliseconds) is None


@pytest.mark.parametrize("milliseconds", [1_770_000_000_123, 2**63 - 1, 1_795_000_000_000_000])
def test_a_time_is_read_in_seconds(milliseconds: int) -> None:
    assert claimed(milliseconds) == milliseconds / 1000


def test_the_claim_of_a_record_decides_only_between_two_looks() -> None:
    arrivals = Arrivals()
    arrivals.observe(100.0, 7)
    assert arrivals.arrived(7) is None  # it is not there
    arrivals.observe(101.0, 7)
    arrivals.observe(102.0, 9)
    assert arrivals.arrived(7, 101.5) == 101.5
    assert arrivals.arrived(8, 101.5) == 101.5
    assert arrivals.arrived(7, -5e9) == 101.0
    assert arrivals.arrived(7, 5e9) == 102.0
    assert arrivals.arrived(7) == 101.0  # rather too old than too young


def test_records_found_at_the_first_check_have_the_age_of_their_timestamp() -> None:
    arrivals = Arrivals()
    arrivals.observe(100.0, 7)
    assert arrivals.arrived(3, 40.0) == 40.0
    assert arrivals.arrived(3, 400.0) == 100.0
    assert arrivals.arrived(3) == 100.0


def test_a_log_that_became_shorter_was_made_anew() -> None:
    arrivals = Arrivals()
    arrivals.observe(100.0, 7)
    arrivals.observe(101.0, 3)
    assert arrivals.arrived(0) == 101.0
    arrivals.observe(102.0, 5)
    assert arrivals.arrived(3) == 101.0


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_an_arrival_is_between_the_checks_around_it(data: st.DataObject) -> None:
    """The oracle knows when each message came; it is told in looks of any density."""
    gaps = data.draw(st.lists(st.floats(0, 10), min_size=1, max_size=400))
    times = [sum(gaps[: number + 1]) for number in range(len(gaps))]
    looks = sorted(data.draw(st.lists(st.floats(0, times[-1] + 5), min_size=1, max_size=600)))
    arrivals = Arrivals()
    for at in looks:
        arrivals.observe(at, sum(came <= at for came in times))
    stored = data.draw(st.integers(0, len(times) - 1))
    arrivals.forget(data.draw(st.integers(0, stored)))
    seen = [at for at in looks if sum(came <= at for came in times) > stored]
    true, claims = arrivals.arrived(stored), arrivals.arrived(stored, times[stored])
    if not seen:
        assert true is claims is None
        return
    assert true is not None
    assert claims is not None
    before = [at for at in looks if sum(came <= at for came in times) <= stored]
    if before:
        assert true <= times[stored] + 1e-6  # never younger than it is
        assert abs(claims - times[stored]) < 1e-6  # a true claim is believed
    else:
        assert claims <= seen[0]
    if len(looks) <= 100:  # all looks are kept
        assert true == pytest.approx(before[-1] if before else seen[0])


def test_a_long_backlog_takes_little_memory() -> None:
    arrivals = Arrivals()
    for number in range(100_000):
        arrivals.observe(float(number), number + 1)
    assert len(arrivals._runs) <= 256
    assert arrivals.arrived(0) == 0.0
    late = arrivals.arrived(50_000, 50_000.0)
    assert late == 50_000.0
    arrivals.forget(99_999)
    assert len(arrivals._runs) <= 2
