"""Times, durations and amounts of the console, for people, in both languages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plura.tx.api.console import formats
from plura.tx.api.console.catalogue import Language, Texts
from tests.unit.tx.entries import entry

ENGLISH, KOREAN = Texts(Language.ENGLISH), Texts(Language.KOREAN)
NOW = datetime(2026, 2, 5, 3, 0, tzinfo=UTC)

SIZES = {
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86_400,
    "week": 604_800,
    "month": 2_592_000,
    "year": 31_536_000,
}
PLURALS = {f"{unit}s": unit for unit in SIZES}
KOREAN_UNITS = {
    "초": "second",
    "분": "minute",
    "시간": "hour",
    "일": "day",
    "주": "week",
    "개월": "month",
    "년": "year",
}


@pytest.mark.parametrize(
    ("seconds", "english", "korean"),
    [
        (0, "just now", "방금"),
        (0.9, "just now", "방금"),
        (-0.9, "just now", "방금"),
        (1, "1 second ago", "1초 전"),
        (59.9, "59 seconds ago", "59초 전"),
        (60, "1 minute ago", "1분 전"),
        (239, "3 minutes ago", "3분 전"),  # the fourth minute is not over
        (300, "5 minutes ago", "5분 전"),
        (3 * 3600, "3 hours ago", "3시간 전"),
        (86_399, "23 hours ago", "23시간 전"),
        (3 * 86_400, "3 days ago", "3일 전"),
        (8 * 86_400, "1 week ago", "1주 전"),
        (60 * 86_400, "2 months ago", "2개월 전"),
        (364 * 86_400, "12 months ago", "12개월 전"),
        (800 * 86_400, "2 years ago", "2년 전"),
        (-180, "in 3 minutes", "3분 후"),
    ],
)
def test_an_age_is_shown_in_whole_units(seconds: float, english: str, korean: str) -> None:
    value = NOW - timedelta(seconds=seconds)
    assert formats.ago(value, NOW, ENGLISH) == english
    assert formats.ago(value, NOW, KOREAN) == korean


def test_the_last_instant_has_a_distance() -> None:
    assert formats.ago(datetime.max.replace(tzinfo=UTC), NOW, ENGLISH).startswith("in 79")


@pytest.mark.parametrize(
    ("seconds", "english", "korean"),
    [
        (0, "under a second", "1초 미만"),
        (1, "1 second", "1초"),
        (60, "1 minute", "1분"),
        (125, "2 minutes 5 seconds", "2분 5초"),
        (3605, "1 hour", "1시간"),  # the seconds beside an hour are left out
        (7_500, "2 hours 5 minutes", "2시간 5분"),
        (90_000, "1 day 1 hour", "1일 1시간"),
        (10 * 86_400, "1 week 3 days", "1주 3일"),
        (400 * 86_400, "1 year 1 month", "1년 1개월"),
    ],
)
def test_durations_have_two_units(seconds: int, english: str, korean: str) -> None:
    assert formats.duration(seconds, ENGLISH) == english
    assert formats.duration(seconds, KOREAN) == korean


def read_back(text: str, language: Language) -> tuple[int, int]:
    """Return the seconds that a duration names, and the size of its largest unit."""
    named = re.findall(r"([\d,]+) ?([a-z]+|[가-힣]+)", text)
    unit_of = KOREAN_UNITS if language is Language.KOREAN else {**dict(zip(SIZES, SIZES, strict=True)), **PLURALS}
    sizes = [SIZES[unit_of[word]] for _, word in named]
    return sum(int(count.replace(",", "")) * size for (count, _), size in zip(named, sizes, strict=True)), sizes[0]


@given(st.integers(1, 4 * 10**9))
def test_a_duration_leaves_out_less_than_a_unit_below_its_largest(seconds: int) -> None:
    total, largest = read_back(formats.duration(seconds, ENGLISH), Language.ENGLISH)
    assert (total, largest) == read_back(formats.duration(seconds, KOREAN), Language.KOREAN)
    below = max((size for size in SIZES.values() if size < largest), default=1)
    assert total <= seconds < total + below
    assert largest <= seconds


@given(st.integers(-(10**9), 10**9), st.integers(0, 10**9))
def test_what_is_longer_ago_never_reads_as_more_recent(seconds: int, more: int) -> None:
    def distance(text: str) -> int:
        if text == "just now":
            return 0
        words = text.replace("in ", "").replace(" ago", "").replace(",", "").split()
        size = int(words[0]) * SIZES[words[1].rstrip("s")]
        return -size if text.startswith("in ") else size

    newer, older = (formats.ago(NOW - timedelta(seconds=age), NOW, ENGLISH) for age in (seconds, seconds + more))
    assert distance(newer) <= distance(older)


def test_an_instant_is_shown_in_korean_time_and_in_utc() -> None:
    value = datetime(2026, 2, 5, 15, 30, 1, 882153, tzinfo=UTC)
    assert formats.kst(value) == "2026-02-06 00:30:01 KST"
    assert formats.kst_plain(value) == "2026-02-06 00:30:01"
    assert formats.utc(value) == "2026-02-05 15:30:01 UTC"
    assert formats.exact(value) == "2026-02-06 00:30:01.882153 KST = 2026-02-05 15:30:01.882153 UTC"


def test_the_end_of_time_is_shown_in_utc() -> None:
    value = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert formats.kst(value) == formats.kst_plain(value) == "9999-12-31 23:59:59 UTC"
    assert formats.exact(value) == "9999-12-31 23:59:59.000000 UTC"


@pytest.mark.parametrize(
    ("entry_type", "amount", "signed", "shown"),
    [
        ("PAYMENT", "128000", "-128000", "-128,000.00"),
        ("RECEIVE", "128000", "128000", "+128,000.00"),
        ("CHARGE", "5", None, "+5.00"),  # the type gives the sign
        ("REFUND_OUT", "5", None, "-5.00"),
        ("CHARGE", "5", "-5", "-5.00"),  # the amount gives it first
        ("HOLD", "5", "0", "0.00"),
        ("SOMETHING", "5", None, "5.00"),
        ("PAYMENT", "9999999999999999.99", "-9999999999999999.99", "-9,999,999,999,999,999.99"),
        ("PAYMENT", "0.1", "-0.1", "-0.10"),
    ],
)
def test_amounts_have_the_sign_of_their_direction(entry_type: str, amount: str, signed: str | None, shown: str) -> None:
    traced = entry(
        entry_type=entry_type, amount=Decimal(amount), amount_signed=None if signed is None else Decimal(signed)
    )
    assert formats.signed(traced) == shown
