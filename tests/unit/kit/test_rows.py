"""Rows are bound by the names of their columns, in whatever order a statement returns them."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plura.kit.rows import row_of


class Entry(NamedTuple):
    tx_id: str
    amount: int
    wallet_id: str | None


def cursor(columns: Sequence[str]) -> Any:
    """What a row factory reads of a cursor."""
    result = SimpleNamespace(nfields=len(columns), fname=lambda number: columns[number].encode())
    return SimpleNamespace(pgresult=result)


@given(st.permutations(["tx_id", "amount", "wallet_id", "note", "size"]))
def test_each_field_has_the_value_of_its_column(columns: list[str]) -> None:
    values = {"tx_id": "t-1", "amount": 10, "wallet_id": None, "note": "x", "size": 3}
    row = row_of(Entry)(cursor(columns))([values[column] for column in columns])
    assert row == Entry(tx_id="t-1", amount=10, wallet_id=None)


def test_columns_of_a_prefix_are_apart_from_those_without() -> None:
    columns = cursor(["tx_id", "old.amount", "amount", "old.wallet_id", "old.tx_id"])
    row = row_of(Entry, prefix="old.")(columns)(["new", 1, 2, "w-1", "old"])
    assert row == Entry(tx_id="old", amount=1, wallet_id="w-1")


def test_a_result_without_a_column_is_an_error() -> None:
    with pytest.raises(psycopg.InterfaceError, match="wallet_id"):
        row_of(Entry)(cursor(["tx_id", "amount", "wallet"]))


@pytest.mark.parametrize("result", [None, SimpleNamespace(nfields=0)])
def test_a_statement_without_a_result_has_no_rows(result: Any) -> None:
    nothing: Any = SimpleNamespace(pgresult=result)
    make = row_of(Entry)(nothing)
    with pytest.raises(psycopg.InterfaceError, match="no rows"):
        make(("t-1", 10, None))
