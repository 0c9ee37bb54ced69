"""Exact numbers at the scales of the tables: money decimal(38,2), rates decimal(38,6), both half-up."""

from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

CENT = Decimal("0.01")
MICRO = Decimal("0.000001")
ZERO = Decimal("0.00")
WIDE = Context(prec=80, rounding=ROUND_HALF_UP)


def money(value: Decimal) -> Decimal:
    """Value at scale 2; values of the lake have no further decimals."""
    return value.quantize(CENT, context=WIDE)


def total(values: list[Decimal]) -> Decimal:
    """Sum of money values, 0.00 for none."""
    return money(Decimal(sum(values, start=ZERO)))


def scaled(value: Fraction | Decimal | int) -> Decimal:
    """Value at scale 6, half-up."""
    exact = Fraction(value)
    return WIDE.divide(Decimal(exact.numerator), Decimal(exact.denominator)).quantize(MICRO, context=WIDE)


def ratio(part: int, whole: int) -> Decimal:
    """part / whole at scale 6, 0 for an empty whole."""
    return scaled(Fraction(part, whole)) if whole else scaled(0)
