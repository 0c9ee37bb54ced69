"""The tables on which every generic test is tried: for each test and way of using it, a good one and a bad one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

Row = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A generic test with arguments, a table it passes on, and one it fails on with the rows ``found``."""

    test: str
    columns: str
    good: list[Row]
    bad: list[Row]
    found: list[Row]
    column: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)


def expectation(name: str, **values: Any) -> Case:
    return Case(test=f"dbt_expectations.expect_{name}", **values)


T0, T1, T2, T3 = (datetime(2026, month, 1) for month in (1, 2, 3, 4))
OPEN = datetime(9999, 12, 31)
VERSIONS = "rule varchar, scope varchar, start_ts timestamp, end_ts timestamp"
HALF_OPEN = {"key": ["rule", "scope"], "start_column": "start_ts", "end_column": "end_ts"}
LIVE = {"row_condition": "not is_old"}

CASES: dict[str, Case] = {
    "no_duplicate_key": Case(
        test="no_duplicate_key",
        arguments={"columns": ["day", "merchant"]},
        columns="day int, merchant varchar",
        good=[(1, "a"), (1, None), (2, "a"), (2, None)],
        # NULL is a value of the key like any other
        bad=[(1, "a"), (1, "a"), (1, "a"), (2, None), (2, None), (3, "a")],
        found=[(1, "a", 3), (2, None, 2)],
    ),
    "no_duplicate_key_condition": Case(
        test="no_duplicate_key",
        arguments={"columns": ["id"], **LIVE},
        columns="id int, is_old boolean",
        good=[(1, False), (1, True), (2, True), (2, True)],
        bad=[(1, False), (1, False), (2, True), (2, True)],
        found=[(1, 2)],
    ),
    "half_open_intervals": Case(
        test="half_open_intervals",
        arguments=HALF_OPEN,
        columns=VERSIONS,
        # the end of one version is the start of the next; gaps are allowed; scopes are keys of their own
        good=[("r", None, T0, T1), ("r", None, T1, T2), ("r", None, T3, OPEN), ("r", "x", T1, OPEN)],
        bad=[
            *[("empty", None, T0, T0), ("empty", None, T0, OPEN)],
            *[("overlap", None, T0, T2), ("overlap", None, T1, OPEN)],
            *[("closed", None, T0, T1)],
            *[("two", None, T0, OPEN), ("two", None, T1, OPEN)],
            *[("fine", "x", T0, T1), ("fine", "x", T1, OPEN)],
        ],
        found=[
            ("empty", None, "empty", T0),
            ("overlap", None, "overlap", T1),
            ("closed", None, "open versions", T0),
            ("two", None, "overlap", T1),
            ("two", None, "open versions", T0),
        ],
    ),
    "half_open_intervals_null": Case(
        test="half_open_intervals",
        arguments=HALF_OPEN,
        columns=VERSIONS,
        good=[("r", None, T0, OPEN)],
        # an end that is NULL is neither an interval nor open
        bad=[("r", None, T0, None)],
        found=[("r", None, "empty", T0), ("r", None, "open versions", T0)],
    ),
    "rate_between_zero_and_one": Case(
        test="rate_between_zero_and_one",
        column="rate",
        columns="rate decimal(38,6)",
        good=[(0,), (1,), (0.5,), (None,)],
        bad=[(0.5,), (Decimal("-0.000001"),), (Decimal("1.000001"),)],
        found=[(Decimal("-0.000001"),), (Decimal("1.000001"),)],
    ),
    "rate_between_zero_and_one_condition": Case(
        test="rate_between_zero_and_one",
        column="rate",
        arguments=LIVE,
        columns="rate int, is_old boolean",
        good=[(2, True), (-1, True), (1, False)],
        bad=[(2, True), (2, False), (-1, False)],
        found=[(2, False), (-1, False)],
    ),
    "filled_only_when": Case(
        test="filled_only_when",
        column="severity",
        arguments={"condition": "verdict = 'DRIFT'"},
        columns="verdict varchar, severity varchar",
        good=[("DRIFT", "WARN"), ("OK", None), (None, None)],
        bad=[("DRIFT", None), ("OK", "WARN"), (None, "WARN"), ("DRIFT", "WARN")],
        found=[("DRIFT", None), ("OK", "WARN"), (None, "WARN")],
    ),
    "filled_only_when_at_most": Case(
        test="filled_only_when",
        column="pair",
        arguments={"condition": "ref is not null", "at_most": True, **LIVE},
        columns="ref int, pair int, is_old boolean",
        good=[(1, 2, False), (1, None, False), (None, None, False), (None, 2, True)],
        bad=[(None, 2, True), (None, 2, False), (1, None, False)],
        found=[(None, 2, False)],
    ),
    "not_be_null": expectation(
        name="column_values_to_not_be_null",
        column="v",
        arguments=LIVE,
        columns="v int, is_old boolean",
        good=[(1, False), (None, True)],
        bad=[(1, False), (None, True), (None, False)],
        found=[(None, False)],
    ),
    "be_null": expectation(
        name="column_values_to_be_null",
        column="v",
        columns="v int",
        good=[(None,)],
        bad=[(None,), (1,)],
        found=[(1,)],
    ),
    "between": expectation(
        name="column_values_to_be_between",
        column="v",
        arguments={"min_value": 0, "max_value": 10, **LIVE},
        columns="v int, is_old boolean",
        good=[(0, False), (10, False), (None, False), (11, True)],
        bad=[(-1, False), (11, False), (11, True), (5, False)],
        found=[(-1, False), (11, False)],
    ),
    "between_strictly": expectation(
        name="column_values_to_be_between",
        column="v",
        arguments={"min_value": 0, "strictly": True},
        columns="v decimal(38,2)",
        good=[(Decimal("0.01"),), (Decimal(1000000),)],
        bad=[(Decimal("0.00"),), (Decimal("0.01"),)],
        found=[(Decimal("0.00"),)],
    ),
    "in_set": expectation(
        name="column_values_to_be_in_set",
        column="v",
        arguments={"value_set": ["a", "it's"], **LIVE},
        columns="v varchar, is_old boolean",
        good=[("a", False), ("it's", False), ("z", True)],
        bad=[("a", False), ("A", False), (None, False), ("z", True)],
        found=[("A", False), (None, False)],
    ),
    "in_set_numbers": expectation(
        name="column_values_to_be_in_set",
        column="v",
        arguments={"value_set": [-1, 0, 1], "quote_values": False},
        columns="v int",
        good=[(-1,), (0,), (1,)],
        bad=[(-1,), (2,)],
        found=[(2,)],
    ),
    "not_in_set": expectation(
        name="column_values_to_not_be_in_set",
        column="v",
        arguments={"value_set": ["x", "y"], **LIVE},
        columns="v varchar, is_old boolean",
        good=[("a", False), (None, False), ("x", True)],
        bad=[("x", False), ("a", False), ("y", True)],
        found=[("x", False)],
    ),
    "match_regex": expectation(
        name="column_values_to_match_regex",
        column="v",
        arguments={"regex": r"^[0-9a-f]{4}\.it's$", **LIVE},
        columns="v varchar, is_old boolean",
        good=[("00ff.it's", False), (None, False), ("z", True)],
        bad=[("00ff.it's", False), ("00FF.it's", False), ("00ffxit's", False), ("z", True)],
        found=[("00FF.it's", False), ("00ffxit's", False)],
    ),
    "match_regex_flags": expectation(
        name="column_values_to_match_regex",
        column="v",
        arguments={"regex": "^[a-f]$", "flags": "i"},
        columns="v varchar",
        good=[("a",), ("F",)],
        bad=[("F",), ("g",)],
        found=[("g",)],
    ),
    "not_match_regex": expectation(
        name="column_values_to_not_match_regex",
        column="v",
        arguments={"regex": "@", **LIVE},
        columns="v varchar, is_old boolean",
        good=[("a", False), ("a@b", True)],
        bad=[("a", False), ("a@b", False), ("a@b", True)],
        found=[("a@b", False)],
    ),
    "length": expectation(
        name="column_value_lengths_to_equal",
        column="v",
        arguments={"value": 2, **LIVE},
        columns="v varchar, is_old boolean",
        good=[("ab", False), ("한국", False), (None, False), ("a", True)],
        bad=[("ab", False), ("abc", False), ("a", True)],
        found=[("abc", False)],
    ),
    "length_between": expectation(
        name="column_value_lengths_to_be_between",
        column="v",
        arguments={"min_value": 1, "max_value": 3, "strictly": True},
        columns="v varchar",
        good=[("ab",)],
        bad=[("ab",), ("a",), ("abc",)],
        found=[("a",), ("abc",)],
    ),
    "unique": expectation(
        name="column_values_to_be_unique",
        column="v",
        arguments=LIVE,
        columns="v int, is_old boolean",
        good=[(1, False), (1, True), (None, False), (None, False)],
        bad=[(1, False), (1, False), (2, True), (2, True)],
        found=[(1, 2)],
    ),
    "compound_unique": expectation(
        name="compound_columns_to_be_unique",
        arguments={"column_list": ["a", "b"]},
        columns="a int, b int",
        # by default a row counts unless all its columns are NULL
        good=[(1, 1), (1, 2), (None, None), (None, None)],
        bad=[(1, None), (1, None), (None, None), (None, None)],
        found=[(1, None, 2)],
    ),
    "compound_unique_any": expectation(
        name="compound_columns_to_be_unique",
        arguments={"column_list": ["a", "b"], "ignore_row_if": "any_value_is_missing", "quote_columns": True},
        columns="a int, b int",
        good=[(1, None), (1, None)],
        bad=[(1, 2), (1, 2), (1, None), (1, None)],
        found=[(1, 2, 2)],
    ),
    "compound_unique_never": expectation(
        name="compound_columns_to_be_unique",
        arguments={"column_list": ["a", "b"], "ignore_row_if": "never", **LIVE},
        columns="a int, b int, is_old boolean",
        good=[(None, None, False), (None, None, True)],
        bad=[(None, None, False), (None, None, False)],
        found=[(None, None, 2)],
    ),
    "pair_greater": expectation(
        name="column_pair_values_A_to_be_greater_than_B",
        arguments={"column_A": "a", "column_B": "b", **LIVE},
        columns="a int, b int, is_old boolean",
        good=[(2, 1, False), (None, 1, False), (1, 1, True)],
        bad=[(1, 1, False), (2, 1, False), (1, 1, True)],
        found=[(1, 1, False)],
    ),
    "pair_greater_or_equal": expectation(
        name="column_pair_values_A_to_be_greater_than_B",
        arguments={"column_A": "a", "column_B": "b", "or_equal": True},
        columns="a int, b int",
        good=[(1, 1)],
        bad=[(1, 1), (0, 1)],
        found=[(0, 1)],
    ),
    "pair_equal": expectation(
        name="column_pair_values_to_be_equal",
        arguments={"column_A": "a", "column_B": "b", **LIVE},
        columns="a int, b int, is_old boolean",
        good=[(1, 1, False), (1, 2, True)],
        bad=[(1, 2, False), (1, 1, False)],
        found=[(1, 2, False)],
    ),
    "expression": Case(
        test="dbt_expectations.expression_is_true",
        arguments={"expression": "a + b = c", **LIVE},
        columns="a int, b int, c int, is_old boolean",
        good=[(1, 1, 2, False), (1, 1, 3, True)],
        bad=[(1, 1, 3, False), (1, 1, 2, False)],
        found=[(1, 1, 3, False)],
    ),
    "expression_of_groups": Case(
        test="dbt_expectations.expression_is_true",
        arguments={"expression": "sum(v)", "test_condition": ">= 0", "group_by_columns": ["g"], **LIVE},
        columns="g int, v int, is_old boolean",
        good=[(1, 2, False), (1, -1, False), (2, -1, True)],
        bad=[(1, 2, False), (1, -1, False), (2, -1, False)],
        found=[(2,)],
    ),
    "row_count_between": expectation(
        name="table_row_count_to_be_between",
        arguments={"min_value": 1, "max_value": 2, **LIVE},
        columns="v int, is_old boolean",
        good=[(1, False), (1, True), (1, True)],
        bad=[(1, True)],
        found=[(0,)],
    ),
    "row_count_between_groups": expectation(
        name="table_row_count_to_be_between",
        arguments={"min_value": 1, "group_by": ["g"], "strictly": True},
        columns="g int",
        good=[(1,), (1,)],
        bad=[(1,), (1,), (2,)],
        found=[(2, 1)],
    ),
    "row_count_equal": expectation(
        name="table_row_count_to_equal",
        arguments={"value": 1, **LIVE},
        columns="v int, is_old boolean",
        good=[(1, False), (1, True)],
        bad=[(1, False), (2, False)],
        found=[(2,)],
    ),
    "columns_contain": expectation(
        name="table_columns_to_contain_set",
        arguments={"column_list": ["id", "Name"]},
        columns="id int, name varchar, extra int",
        good=[],
        bad=[],
        found=[("NAME",)],
    ),
    "columns_match": expectation(
        name="table_columns_to_match_set",
        arguments={"column_list": ["id", "name"], "transform": "lower"},
        columns="name varchar, id int",
        good=[],
        bad=[],
        found=[("name",), ("user_id",)],
    ),
    "column_exists": expectation(
        name="column_to_exist",
        column="name",
        columns="id int, name varchar",
        good=[],
        bad=[],
        found=[("NAME",)],
    ),
    "column_exists_at": expectation(
        name="column_to_exist",
        column="id",
        arguments={"column_index": 1, "transform": "lower"},
        columns="name varchar, id int",
        good=[],
        bad=[],
        found=[("id",)],
    ),
}

# Tests about the shape of a table differ in the columns of their bad table.
BAD_COLUMNS = {
    "columns_contain": "id int, nom varchar",
    "columns_match": "id int, user_id int",
    "column_exists": "id int, nom varchar",
    "column_exists_at": "id int, name varchar",
}

# Mistakes in the arguments of a test must not let it pass: a case without tables, and what dbt says.
REFUSED: dict[str, tuple[Case, str]] = {
    "no_limit": (
        expectation(name="column_values_to_be_between", column="v", columns="v int", good=[], bad=[], found=[]),
        "needs min_value, max_value or both",
    ),
    "unknown_ignore": (
        expectation(
            name="compound_columns_to_be_unique",
            arguments={"column_list": ["v"], "ignore_row_if": "sometimes"},
            columns="v int",
            good=[],
            bad=[],
            found=[],
        ),
        "ignore_row_if must be one of",
    ),
}
