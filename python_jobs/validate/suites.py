"""Expectation suites of the Bronze tables, derived from their contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_jobs.contracts import Column, Table

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


def fits_column(column: Column) -> str:
    """Return the name of the column that says whether each value fits the type of ``column``."""
    return f"{column.name}_fits_type"


def expectations(table: Table) -> list[Expectation]:
    """Return what the contract says about a batch of a table: keys, values present, types, ranges, allowed values.

    ``meta["says"]`` of each describes a value that does not meet it.
    """
    import great_expectations.expectations as gxe

    suite: list[Expectation] = [gxe.ExpectTableRowCountToBeBetween(min_value=1, meta={"says": "no line at all"})]
    for column in table.keyed_columns:
        name, kind = column.name, column.data_type
        if column.required:
            suite.append(gxe.ExpectColumnToExist(column=name, meta={"says": f"{name} is no column"}))
            suite.append(
                gxe.ExpectColumnValuesToNotBeNull(column=name, meta={"says": f"{name} is missing or no {kind}"})
            )
        else:
            what = "an object or a list" if kind == "string" else f"not of type {kind}"
            key = column.spellings[0] if len(column.spellings) == 1 else name
            suite.append(
                gxe.ExpectColumnValuesToBeInSet(
                    column=fits_column(column), value_set=[True], meta={"says": f"{key} is {what}"}
                )
            )
        lowest = column.minimum if column.exclusive_minimum is None else column.exclusive_minimum
        if lowest is not None:
            strict = column.exclusive_minimum is not None
            words = f"{name} is {'not above' if strict else 'below'} {lowest}"
            suite.append(
                gxe.ExpectColumnValuesToBeBetween(
                    column=name, min_value=lowest, strict_min=strict, meta={"says": words}
                )
            )
        if column.allowed_values:
            suite.append(
                gxe.ExpectColumnValuesToBeInSet(
                    column=name,
                    value_set=list(column.allowed_values),
                    meta={"says": f"{name} is none of {', '.join(column.allowed_values)}"},
                )
            )
    return suite
