"""The fields of a rule that the models read, by metric. Add a metric here for a model that reads a new rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

COLUMNS = (
    "rule_id",
    "domain",
    "metric",
    "scope",
    "threshold",
    "severity_map",
    "allowed_values",
    "effective_start_ts",
    "comment",
)
"""Columns of the file, in any order."""


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """The numbers that a threshold or a limit may be; ``says`` names them in messages and documents."""

    says: str
    low: Decimal | None = Decimal(0)
    high: Decimal | None = None
    decimals: int = 9
    divides: int | None = None

    def allow(self, number: Decimal) -> bool:
        """Whether a number is allowed; ``decimals`` is its number of digits after the point."""
        places = -min(int(number.normalize().as_tuple().exponent), 0)
        return (
            (self.low is None or number >= self.low)
            and (self.high is None or number <= self.high)
            and places <= self.decimals
            and (self.divides is None or (number > 0 and self.divides % number == 0))
        )


class ValueKind(Enum):
    """What a text of ``allowed_values`` is."""

    TEXT = "texts"
    CURRENCY = "currencies"
    PATTERN = "regular expressions"
    INSTANT = "an ISO date or instant"


@dataclass(frozen=True, kw_only=True)
class Values:
    """The lists that ``allowed_values`` may be; ``groups`` is the number of groups that each pattern has."""

    says: str
    kind: ValueKind = ValueKind.TEXT
    fewest: int = 1
    most: int | None = None
    groups: int | None = None


@dataclass(frozen=True, kw_only=True)
class Metric:
    """The fields that are read of a rule of a metric.

    ``numbers`` are those of ``threshold`` and of the limits in ``severity_map``, which may name ``severities``.
    ``values`` is set where ``allowed_values`` is read. ``scopes`` are the tables that a rule may be limited to.
    """

    purpose: str
    numbers: Numbers | None = None
    severities: tuple[str, ...] = ()
    values: Values | None = None
    scopes: tuple[str, ...] = ()


_SHARE = Numbers(says="a share from 0 to 1", high=Decimal(1))
_SECONDS = Numbers(says="seconds, 0 or more")
_WINDOWS = Numbers(says="a number of windows, 0 or more")
_ROWS = Numbers(says="a whole number of rows, 0 or more", decimals=0)
_HOURS = Numbers(says="hours from 0 to 100000", high=Decimal(100_000))
_MINUTES = Numbers(
    says="whole minutes that divide an hour (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60)", decimals=0, divides=60
)
_AMOUNT = Numbers(says="an amount, 0 or more")
_OPENING = Numbers(says="an amount with at most two decimals", low=None, decimals=2)

_TEXTS = Values(says="one or more texts")
_CURRENCIES = Values(says="one or more currencies such as KRW (ISO 4217)", kind=ValueKind.CURRENCY)
_LINK = Values(says="one regular expression with one group", kind=ValueKind.PATTERN, most=1, groups=1)
_WALLETS = Values(says="regular expressions of whole wallet ids, or none: []", kind=ValueKind.PATTERN, fewest=0)
_INSTANT = Values(says="one ISO date or instant, UTC where it names no offset", kind=ValueKind.INSTANT, most=1)

_LEDGER, _WALLET_LINES, _PAYMENTS, _ORDERS = (
    f"bronze.{name}_raw" for name in ("transaction_ledger", "user_wallets", "payment_orders", "orders")
)
_GUARDED = (_LEDGER, _WALLET_LINES, _PAYMENTS)
_CLEANED = tuple(
    f"silver.{name}" for name in ("wallet_snapshot", "ledger_entries", "order_events", "order_items", "products")
)
_DQ = ("warn", "crit")


def _dq(purpose: str, numbers: Numbers, scopes: tuple[str, ...] = _GUARDED) -> Metric:
    return Metric(purpose=purpose, numbers=numbers, severities=_DQ, scopes=scopes)


METRICS: Mapping[str, Mapping[str, Metric]] = {
    "dq": {
        "freshness_sec": _dq("age of the newest row at the end of a tile", _SECONDS),
        "freshness_sec_day": _dq("age of the newest row at the end of the day", _SECONDS),
        "dup_rate_tx_id": _dq("share of repeated ledger lines", _SHARE, (_LEDGER,)),
        "dup_rate_user_id": _dq("share of repeated wallet lines", _SHARE, (_WALLET_LINES,)),
        "dup_rate_order_id": _dq("share of repeated payment order lines", _SHARE, (_PAYMENTS,)),
        "completeness_zero_windows": _dq("empty tiles in a row", _WINDOWS),
        "completeness_zero_windows_day": _dq("empty days in a row", _WINDOWS),
        "contract_bad_records_rate": _dq("share of lines that break the contract", _SHARE),
        "tile_minutes": Metric(purpose="length of a tile", numbers=_MINUTES),
    },
    "silver": {
        "bad_records_rate": Metric(
            purpose="share of bad rows above which a Silver run stops",
            numbers=_SHARE,
            severities=("fail",),
            scopes=_CLEANED,
        ),
        "bad_records_min_rows": Metric(
            purpose="fewest pending rows for which that share is checked", numbers=_ROWS, scopes=_CLEANED
        ),
        "entry_type_allowed": Metric(purpose="accepted ledger entry types", values=_TEXTS, scopes=(_LEDGER,)),
        "payment_status_allowed": Metric(
            purpose="accepted statuses of payment orders and orders", values=_TEXTS, scopes=(_PAYMENTS, _ORDERS)
        ),
        "earliest_instant": Metric(purpose="instant before which no line is plausible", values=_INSTANT),
        "currency_allowed": Metric(
            purpose="accepted currencies", values=_CURRENCIES, scopes=(_WALLET_LINES, _LEDGER, _PAYMENTS, _ORDERS)
        ),
        "overdraft_allowed": Metric(purpose="wallets whose balance may be negative", values=_WALLETS),
    },
    "ledger": {
        "drift_abs": Metric(purpose="drift of a wallet", numbers=_AMOUNT, severities=_DQ),
        "supply_diff_abs": Metric(purpose="issued supply less wallet balances", numbers=_AMOUNT, severities=_DQ),
        "supply_opening": Metric(purpose="issued before the first loaded entry", numbers=_OPENING),
        "snapshot_tolerance_hours": Metric(
            purpose="greatest distance of a snapshot from its day boundary", numbers=_HOURS
        ),
        "payment_failed_status": Metric(purpose="statuses that count as failed", values=_TEXTS),
        "payment_refunded_status": Metric(purpose="statuses that count as refunded", values=_TEXTS),
    },
    "analytics": {
        "order_link_pattern": Metric(
            purpose="part of a payment order's reference that is the commerce order's id", values=_LINK
        ),
    },
}
"""Domain → metric → what is read of its rules."""
