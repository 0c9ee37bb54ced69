"""The findings that the controls must have on the generated files: all that the planted faults cause, and no other.

The expectations follow from the faults and from how the files were cut, by the definitions of the controls; nothing of
the lake's own code takes part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from python_jobs.entry_types import ISSUING, SIGNS
from python_jobs.generate.clock import DAY, HOUR, Formatter, extract_instant
from python_jobs.generate.deliveries import money

LEDGER, WALLETS, ORDERS = "transaction_ledger_raw", "user_wallets_raw", "payment_orders_raw"

TOLERANCE = 12 * HOUR

_NEVER = 1 << 62

# default rules of the guardrail: share of rows that warns and that is critical
_WARN, _CRITICAL = 0.001, 0.01


@dataclass(frozen=True, kw_only=True)
class Delta:
    """Written less real amount of the ledger, in hundredths; the next files remove the difference if ``is_late``."""

    wallet: int
    at: int
    signed: int
    supply: int
    is_late: bool = False


@dataclass(kw_only=True)
class Truth:
    """Collects what was planted; days are numbers from 0."""

    days: int
    ids: list[str]
    clock: Formatter
    faults: list[dict[str, Any]] = field(default_factory=list)
    deltas: list[Delta] = field(default_factory=list)
    skews: list[tuple[int, int, int]] = field(default_factory=list)
    bad_lines: list[dict[str, str]] = field(default_factory=list)
    joined: dict[int, int] = field(default_factory=dict)
    first_entries: dict[int, int] = field(default_factory=dict)
    last_entries: dict[tuple[int, int], int] = field(default_factory=dict)
    lost_snapshots: set[tuple[int, int]] = field(default_factory=set)
    lost_extracts: set[int] = field(default_factory=set)
    rows: Counter[tuple[str, int]] = field(default_factory=Counter)
    bad: Counter[tuple[str, int]] = field(default_factory=Counter)
    repeats: Counter[tuple[str, int]] = field(default_factory=Counter)

    def add_fault(self, kind: str, day: int, **details: Any) -> None:
        """Record a planted fault."""
        self.faults.append({"kind": kind, "day": str(self.clock.day(day)), **details})

    def add_delta(self, wallet: int, at: int, kind: str, cents: int, *, times: int = 1, is_late: bool = False) -> None:
        """Record that the ledger has an entry ``times`` times too often (-1: the entry is missing)."""
        signed = SIGNS[kind] * cents * times
        supply = signed if kind in ISSUING else 0
        self.deltas.append(Delta(wallet=wallet, at=at, signed=signed, supply=supply, is_late=is_late))

    def see(self, wallet: int, at: int) -> None:
        """Record that a valid ledger line of a new wallet was written."""
        if wallet in self.joined:
            self.first_entries[wallet] = min(at, self.first_entries.get(wallet, at))

    def add_bad_line(self, source: str, target: str, reason: str, day: int) -> None:
        """Record a line that Silver must quarantine; ``day`` is the day of its row."""
        self.bad[source, day] += 1
        self.bad_lines.append({"bronze_table": f"bronze.{source}", "source_table": target, "reason": reason})

    def document(self) -> dict[str, Any]:
        """Return the content of truth.json."""
        return {
            "first_day": str(self.clock.day(0)),
            "last_day": str(self.clock.day(self.days - 1)),
            "faults": self.faults,
            "expected": {
                "exceptions": sorted(self._exceptions(with_late=False), key=_order),
                "resolved_exceptions": sorted(self._resolved(), key=_order),
                "bad_records": sorted(self.bad_lines, key=_order),
                "unreconciled": sorted(
                    (
                        {
                            "date_kst": str(self.clock.day(day)),
                            "user_id": self.ids[wallet],
                            "coverage": "STALE_SNAPSHOT",
                        }
                        for wallet, day in self._unreconciled()
                    ),
                    key=_order,
                ),
            },
        }

    def _resolved(self) -> Iterator[dict[str, Any]]:
        """Exceptions of a run right after a day's delivery that the next delivery resolves."""
        known = [_identity(exception) for exception in self._exceptions(with_late=False)]
        for exception in self._exceptions(with_late=True):
            if _identity(exception) not in known:
                yield exception

    def _exceptions(self, *, with_late: bool) -> Iterator[dict[str, Any]]:
        gated = set()
        for finding in self._quality():
            if (
                finding["exception_type"] in {"SOURCE_STALE", "EVENT_DROP_SUSPECTED"}
                and ORDERS not in finding["source_table"]
            ):
                gated.add(finding["date_kst"])
            yield finding
        deltas = [delta for delta in self.deltas if with_late or not delta.is_late]
        unreconciled = self._unreconciled()
        for day in range(self.days):
            date = str(self.clock.day(day))
            if date in gated:
                continue
            for wallet in sorted({delta.wallet for delta in deltas} | {wallet for wallet, _, _ in self.skews}):
                drift = self._drift(wallet, day, deltas)
                if drift and (wallet, day) not in unreconciled:
                    yield _exception(date, "RECON_DRIFT_HIGH", subject=self.ids[wallet], value=abs(drift))
            difference = self._supply_difference(day, deltas)
            if difference:
                yield _exception(date, "SUPPLY_MISMATCH", value=abs(difference))

    def _drift(self, wallet: int, day: int, deltas: list[Delta]) -> int:
        """Written flow less change of balance over the wallet's span of a day."""
        opening, closing = self._closing(wallet, day - 1), self._closing(wallet, day)
        if closing is None:
            return 0
        # without an opening the wallet opens where it was first seen
        low = opening if opening is not None else min(self._virtual(wallet, closing), closing)
        # what a newcomer really had before it was first seen is missing in the ledger as well
        since = -_NEVER if low == self._virtual(wallet, _NEVER) else low
        flow = sum(d.signed for d in deltas if d.wallet == wallet and since < d.at <= closing)
        return flow - self._skew(wallet, closing) + self._skew(wallet, low)

    def _supply_difference(self, day: int, deltas: list[Delta]) -> int:
        """Issued supply less the sum of the balances, rolled to the end of a day by the written ledger."""
        end = (day + 1) * DAY
        difference = sum(d.supply for d in deltas if d.at < end)
        for wallet in {d.wallet for d in deltas} | {wallet for wallet, _, _ in self.skews}:
            closing = self._closing(wallet, day)
            if closing is None:
                continue
            low, high, sign = (closing, end - 1, 1) if closing < end else (end - 1, closing, -1)
            rolled = sum(d.signed for d in deltas if d.wallet == wallet and low < d.at <= high)
            difference -= self._skew(wallet, closing) + sign * rolled
        return difference

    def _skew(self, wallet: int, snapshot: int) -> int:
        return sum(cents for w, day, cents in self.skews if w == wallet and extract_instant(day, w) <= snapshot)

    def _closing(self, wallet: int, day: int) -> int | None:
        """The snapshot that serves the end of a day: the extract after it, else the latest one before it."""
        joined = self.joined.get(wallet, -DAY)
        for number in range(day, -2, -1):
            instant = extract_instant(number, wallet)
            if instant < joined:
                break
            if number not in self.lost_extracts and (wallet, number) not in self.lost_snapshots:
                return instant
        virtual = self._virtual(wallet, _NEVER)
        return virtual if virtual < (day + 1) * DAY else None

    def _virtual(self, wallet: int, default: int) -> int:
        """A wallet that is new to the feed starts with nothing just before its first entry."""
        return self.first_entries[wallet] - 1 if wallet in self.first_entries else default

    def _unreconciled(self) -> set[tuple[int, int]]:
        """Wallets and days whose closing snapshot is too old for the entries after it."""
        found = set()
        for (wallet, day), last_entry in self.last_entries.items():
            closing = self._closing(wallet, day)
            if (
                closing is not None
                and (day + 1) * DAY - closing > TOLERANCE
                and last_entry > closing
                and not self._is_gated(day)
            ):
                found.add((wallet, day))
        return found

    def _is_gated(self, day: int) -> bool:
        return not self.rows[LEDGER, day] or not self.rows[WALLETS, day]

    def _quality(self) -> Iterator[dict[str, Any]]:
        """Exceptions of the guardrail's day rows under the default rules."""
        for day in range(self.days):
            date = str(self.clock.day(day))
            for table in (LEDGER, WALLETS, ORDERS):
                rows = self.rows[table, day]
                source = f"bronze.{table}"
                if not rows and table == WALLETS:
                    # the extract of the day before is 48 hours old but for some minutes
                    is_second = not self.rows[table, day - 1]
                    yield _exception(date, "SOURCE_STALE", source=source, severity=_severity(is_second, 1))
                elif not rows:
                    if any(self.rows[table, earlier] for earlier in range(day)):
                        yield _exception(date, "SOURCE_STALE", source=source)
                    yield _exception(date, "EVENT_DROP_SUSPECTED", source=source)
                for counts, kind in ((self.bad, "CONTRACT_VIOLATION"), (self.repeats, "DUP_SUSPECTED")):
                    share = counts[table, day] / rows if rows else 0
                    if share >= _WARN:
                        yield _exception(date, kind, source=source, severity=_severity(share, _CRITICAL))


def _severity(value: float, critical: float) -> str:
    return "CRITICAL" if value >= critical else "WARN"


def _exception(
    date: str,
    kind: str,
    *,
    source: str | None = None,
    subject: str | None = None,
    severity: str = "CRITICAL",
    value: int | None = None,
) -> dict[str, Any]:
    found = {
        "date_kst": date,
        "exception_type": kind,
        "severity": severity,
        "source_table": source,
        "subject": subject,
    }
    return found if value is None else found | {"metric_value": money(value)}


def _identity(exception: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(exception[key] for key in ("date_kst", "exception_type", "source_table", "subject"))


def _order(row: dict[str, Any]) -> list[str]:
    return [str(value) for value in row.values()]
