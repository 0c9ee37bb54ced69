"""Plants faults in the files while the platform runs, and records in the truth the findings that they must cause."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from python_jobs.generate.clock import DAY, HOUR, delivery_of
from python_jobs.generate.deliveries import Deliveries, money
from python_jobs.generate.request import Fault, GenerateRequest
from python_jobs.generate.truth import LEDGER, ORDERS, WALLETS, Truth
from python_jobs.warehouse import LakeError

if TYPE_CHECKING:
    from collections.abc import Callable

NEVER = 1 << 62

SILVER_LEDGER, SILVER_WALLETS, SILVER_ORDERS = "silver.ledger_entries", "silver.wallet_snapshot", "silver.order_events"

_MINTED = 1_000_000_00
_TAMPERED = 7_500_00

_FLIPPED = {"PAYMENT": "RECEIVE", "RECEIVE": "PAYMENT"}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A ledger entry before any fault; ``cents`` are hundredths, ``at`` milliseconds."""

    tx_id: str
    wallet: int
    kind: str
    cents: int
    related_id: str | None
    at: int

    @property
    def day(self) -> int:
        """Number of the KST day."""
        return self.at // DAY


@dataclass(kw_only=True)
class _Armed:
    fault: Fault
    at: int
    left: int = 1


class Planter:
    """Changes what the platform writes to its files; until the instant ``next_at`` it changes nothing."""

    def __init__(self, request: GenerateRequest, truth: Truth, files: Deliveries, line: Callable[..., str]) -> None:
        self._truth = truth
        self._files = files
        self._line = line
        self._rng = random.Random(f"{request.seed}/faults")
        per_day = request.entries / request.days
        self._ledger: list[_Armed] = []
        self._orders: list[_Armed] = []
        self._windows: list[tuple[int, int]] = []
        self._silent_orders: list[tuple[int, int]] = []
        self._late: dict[int, list[Entry]] = {}
        self._negative: set[tuple[int, int]] = set()
        self.extra: dict[int, int] = {}
        self._watched: set[int] = set()
        for fault in sorted(request.faults, key=lambda fault: fault.day):
            self._arm(fault, per_day)
        self._ledger.sort(key=lambda armed: armed.at)
        self._orders.sort(key=lambda armed: armed.at)
        self.next_at = NEVER
        self._look_ahead()

    def _arm(self, fault: Fault, per_day: float) -> None:
        day = fault.day - 1
        at = day * DAY + int((2 + 14 * self._rng.random()) * HOUR)
        if fault.kind == "stale_source":
            self._silence(fault, day)
        elif fault.kind == "dropped_window":
            start = day * DAY + int((8 + self._rng.random()) * HOUR)
            self._windows.append((start, start + int(fault.hours * HOUR)))
            self._truth.add_fault(
                fault.kind, day, table=LEDGER, **{"from": self._iso(start), "to": self._iso(self._windows[-1][1])}
            )
        elif fault.kind == "bad_status":
            self._orders.append(_Armed(fault=fault, at=at))
        else:
            left = ceil(0.02 * per_day) if fault.kind == "repeated_lines" else 1
            self._ledger.append(_Armed(fault=fault, at=at, left=left))
        if fault.kind in {"lost_snapshot", "negative_balance"}:
            self._watched.add(day)

    def _silence(self, fault: Fault, day: int) -> None:
        if fault.table == WALLETS:
            self._truth.lost_extracts.add(day)
            self._watched.add(day)
        else:
            silent = self._windows if fault.table == LEDGER else self._silent_orders
            silent.append((day * DAY, (day + 1) * DAY))
        self._truth.add_fault(fault.kind, day, table=fault.table)

    def _iso(self, at: int) -> str:
        return self._truth.clock.iso(at)

    def _retire(self, entry: Entry) -> None:
        """Remove windows and days that are over."""
        if any(end <= entry.at for _, end in self._windows) or any(day < entry.day for day in self._watched):
            self._windows = [(start, end) for start, end in self._windows if end > entry.at]
            self._watched = {day for day in self._watched if day >= entry.day}
            self._look_ahead()

    def _look_ahead(self) -> None:
        instants = [armed.at for armed in self._ledger]
        instants += [start for start, _ in self._windows]
        instants += [day * DAY for day in self._watched]
        self.next_at = min(instants, default=NEVER)

    def start_delivery(self, number: int) -> None:
        """Write the late ledger lines of this delivery."""
        for entry in self._late.pop(number, []):
            self._write(entry)

    def snapshot(self, wallet: int, day: int) -> str | None:
        """Return the fault of a wallet in the extract that closes a day: ``lost``, ``negative`` or None."""
        if (wallet, day) in self._negative:
            return "negative"
        is_lost = day in self._truth.lost_extracts or (wallet, day) in self._truth.lost_snapshots
        return "lost" if is_lost else None

    def payment_order_status(self, status: str, created: int, now: int) -> str | None:
        """Return the status to write for a payment order; None if its line is never written."""
        if any(start <= created < end for start, end in self._silent_orders):
            return None
        for armed in self._orders:
            if armed.at <= now and now // DAY == armed.fault.day - 1 and created == now:
                self._orders.remove(armed)
                self._truth.add_bad_line(ORDERS, SILVER_ORDERS, "invalid_status", created // DAY)
                self._truth.add_fault("bad_status", created // DAY, table=ORDERS, at=self._iso(created))
                return "BROKEN"
        return status

    def finish(self) -> None:
        """Check that every fault was planted.

        Raises:
            LakeError: a day had no line that fits the fault.
        """
        left = [armed.fault.name for armed in (*self._ledger, *self._orders)]
        if left:
            raise LakeError(
                f"nothing fits {', '.join(left)}: too few entries, or the source is silent that day; raise --entries or"
                " leave the fault out"
            )

    def ledger(self, entry: Entry) -> None:
        """Write the lines of the ledger for an entry."""
        self._retire(entry)
        if entry.day in self._watched:
            self._truth.last_entries[entry.wallet, entry.day] = entry.at
        if any(start <= entry.at < end for start, end in self._windows):
            self._truth.add_delta(entry.wallet, entry.at, entry.kind, entry.cents, times=-1)
            return
        for armed in self._ledger:
            if armed.at > entry.at:
                break
            if self._plant(armed, entry):
                armed.left -= 1
                if not armed.left:
                    self._ledger.remove(armed)
                    self._look_ahead()
                return
        self._write(entry)

    def _plant(self, armed: _Armed, entry: Entry) -> bool:
        """Plant a fault on an entry if it fits, and write the lines of the entry."""
        kind = armed.fault.kind
        if kind == "repeated_lines":
            self._write(entry, self._text(entry), self._text(entry))
            self._truth.repeats[LEDGER, entry.day] += 1
            if armed.left == 1:
                self._truth.add_fault(kind, entry.day, table=LEDGER)
            return True
        is_customer_payment = entry.kind in _FLIPPED and self._truth.ids[entry.wallet].startswith("user")
        if not is_customer_payment or entry.day != armed.fault.day - 1:
            return False
        getattr(self, f"_{kind}")(entry)
        if kind not in {"lost_snapshot", "negative_balance", "tampered_balance", "mint_without_backing"}:
            self._note(kind, entry)
        return True

    def _missing_entry(self, entry: Entry) -> None:
        self._truth.add_delta(entry.wallet, entry.at, entry.kind, entry.cents, times=-1)

    def _doubled_entry(self, entry: Entry) -> None:
        self._write(entry, self._text(entry), self._text(entry, tx_id=f"{entry.tx_id}_again"))
        self._truth.add_delta(entry.wallet, entry.at, entry.kind, entry.cents)

    def _wrong_sign(self, entry: Entry) -> None:
        self._write(entry, self._text(entry, kind=_FLIPPED[entry.kind]))
        self._truth.add_delta(entry.wallet, entry.at, entry.kind, entry.cents, times=-2)

    def _late_row(self, entry: Entry) -> None:
        self._late.setdefault(delivery_of(entry.at) + 1, []).append(entry)
        self._truth.add_delta(entry.wallet, entry.at, entry.kind, entry.cents, times=-1, is_late=True)

    def _unknown_type(self, entry: Entry) -> None:
        self._quarantined(entry, self._text(entry, kind="CASHBACK"), "invalid_entry_type")

    def _bad_amount(self, entry: Entry) -> None:
        self._quarantined(entry, self._text(entry, amount=f"{money(entry.cents)}x"), "invalid_amount")

    def _missing_event_time(self, entry: Entry) -> None:
        # without a time of its own the line counts in the day of its extraction
        day = delivery_of(entry.at) + 1
        self._files.write(LEDGER, self._text(entry, created_at=None))
        self._truth.rows[LEDGER, day] += 1
        self._truth.add_delta(entry.wallet, entry.at, entry.kind, entry.cents, times=-1)
        self._truth.add_bad_line(LEDGER, SILVER_LEDGER, "missing_event_time", day)

    def _conflicting_entry(self, entry: Entry) -> None:
        self._write(entry, self._text(entry), self._text(entry, amount=money(entry.cents + 100)))
        self._truth.repeats[LEDGER, entry.day] += 1
        # the guardrail checks each line by itself: the conflict shows in Silver only
        self._truth.bad_lines.append(
            {"bronze_table": f"bronze.{LEDGER}", "source_table": SILVER_LEDGER, "reason": "conflicting_entry"}
        )

    def _mint_without_backing(self, entry: Entry) -> None:
        mint = Entry(tx_id=f"{entry.tx_id}_mint", wallet=0, kind="MINT", cents=_MINTED, related_id=None, at=entry.at)
        self._write(entry, self._text(entry), self._text(mint))
        self._truth.add_delta(mint.wallet, mint.at, mint.kind, mint.cents)
        self._note("mint_without_backing", mint)

    def _lost_snapshot(self, entry: Entry) -> None:
        self._write(entry)
        self._truth.lost_snapshots.add((entry.wallet, entry.day))
        self._truth.add_fault("lost_snapshot", entry.day, table=WALLETS, wallet=self._truth.ids[entry.wallet])

    def _negative_balance(self, entry: Entry) -> None:
        self._write(entry)
        self._negative.add((entry.wallet, entry.day))
        self._truth.lost_snapshots.add((entry.wallet, entry.day))
        self._truth.add_bad_line(WALLETS, SILVER_WALLETS, "negative_balance", entry.day + 1)
        self._truth.add_fault("negative_balance", entry.day, table=WALLETS, wallet=self._truth.ids[entry.wallet])

    def _tampered_balance(self, entry: Entry) -> None:
        self._write(entry)
        self.extra[entry.wallet] = self.extra.get(entry.wallet, 0) + _TAMPERED
        self._truth.skews.append((entry.wallet, entry.day, _TAMPERED))
        self._truth.add_fault(
            "tampered_balance",
            entry.day,
            table=WALLETS,
            wallet=self._truth.ids[entry.wallet],
            amount=money(_TAMPERED),
        )

    def _quarantined(self, entry: Entry, line: str, reason: str) -> None:
        self._files.write(LEDGER, line)
        self._truth.rows[LEDGER, entry.day] += 1
        self._truth.add_delta(entry.wallet, entry.at, entry.kind, entry.cents, times=-1)
        self._truth.add_bad_line(LEDGER, SILVER_LEDGER, reason, entry.day)

    def _note(self, kind: str, entry: Entry) -> None:
        self._truth.add_fault(
            kind,
            entry.day,
            table=LEDGER,
            tx_id=entry.tx_id,
            wallet=self._truth.ids[entry.wallet],
            amount=money(entry.cents),
        )

    def _write(self, entry: Entry, *lines: str) -> None:
        self._truth.see(entry.wallet, entry.at)
        for line in lines or (self._text(entry),):
            self._files.write(LEDGER, line)
            self._truth.rows[LEDGER, entry.day] += 1

    def _text(self, entry: Entry, **changes: str | None) -> str:
        fields: dict[str, str | None] = {
            "tx_id": entry.tx_id,
            "wallet_id": self._truth.ids[entry.wallet],
            "kind": entry.kind,
            "amount": money(entry.cents),
            "related_id": entry.related_id,
            "created_at": self._iso(entry.at),
        }
        return self._line(**fields | changes)
