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
    """Return what the contract says about a batch of a table: keys, values present, types, ranges, allowed values."""
    import great_expectations.expectations as gxe

    suite: list[Expectation] = [gxe.ExpectTableRowCountToBeBetween(min_value=1)]
    for column in table.value_columns:
        if column.required:
            suite.append(gxe.ExpectColumnToExist(column=column.name))
            suite.append(gxe.ExpectColumnValuesToNotBeNull(column=column.name))
        if column.data_type != "string":
            suite.append(gxe.ExpectColumnValuesToBeInSet(column=fits_column(column), value_set=[True]))
        lowest = column.minimum if column.exclusive_minimum is None else column.exclusive_minimum
        if lowest is not None:
            suite.append(
                gxe.ExpectColumnValuesToBeBetween(
                    column=column.name, min_value=lowest, strict_min=column.exclusive_minimum is not None
                )
            )
        if column.allowed_values:
            suite.append(gxe.ExpectColumnValuesToBeInSet(column=column.name, value_set=list(column.allowed_values)))
    return suite
