"""Statements with values for engines that bind none, and instants as the warehouses keep them. No Spark."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_jobs.instants import epoch_us, of_epoch_us, utc_naive
from python_jobs.spark import bound

SEOUL = timezone(timedelta(hours=9))


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (None, "null"),
        (True, "true"),
        (-5, "-5"),
        (Decimal("0.10"), "0.10"),
        ("it's", r"'it\'s'"),
        ("C:\\new", r"'C:\\new'"),
        ("\\'; drop", r"'\\\'; drop'"),
        ("${env:HOME}", r"'\u0024{env:HOME}'"),
        (date(2026, 2, 1), "date '2026-02-01'"),
        (datetime(2026, 2, 1, 9, 0, 0, 7, tzinfo=SEOUL), "timestamp '2026-02-01 00:00:00.000007Z'"),
        (datetime(2026, 2, 1, 9), "timestamp '2026-02-01 09:00:00.000000Z'"),
    ],
)
def test_a_value_becomes_its_literal(value: Any, literal: str) -> None:
    assert bound("select $value", {"value": value}) == f"select {literal}"


def test_a_name_is_read_whole() -> None:
    assert bound("$day, $days, $day_1, $day", {"day": 1, "days": 2, "day_1": 3}) == "1, 2, 3, 1"


def test_the_text_of_a_value_is_not_looked_through() -> None:
    assert bound("$a, $b", {"a": "$b", "b": "$a :a {a} %s"}) == r"'\u0024b', '\u0024a :a {a} %s'"


def test_a_name_without_a_value_is_an_error_and_other_dollars_stay() -> None:
    with pytest.raises(KeyError, match="missing"):
        bound("select $missing", {"day": 1})
    assert bound("get_json_object(a, '$.b')", {}) == "get_json_object(a, '$.b')"


@given(st.datetimes(timezones=st.sampled_from([UTC, SEOUL])))
def test_microseconds_of_an_instant_lead_back_to_it(instant: datetime) -> None:
    assert of_epoch_us(epoch_us(instant)) == utc_naive(instant)
    assert epoch_us(utc_naive(instant)) == epoch_us(instant)
