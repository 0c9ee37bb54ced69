"""The request: days, sizes, and the faults to plant."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from python_jobs.warehouse import LakeError

KINDS: dict[str, str] = {
    "missing_entry": "a ledger line is never written, the balance moves",
    "doubled_entry": "money is booked twice under two tx ids, the balance moves once",
    "wrong_sign": "a PAYMENT is written as RECEIVE or the other way round",
    "late_row": "a ledger line arrives with the next day's files",
    "unknown_type": "a ledger line has an entry type nobody knows",
    "bad_amount": "the amount of a ledger line is unreadable",
    "missing_event_time": "a ledger line has no created_at",
    "conflicting_entry": "a ledger line is followed by one with the same key and another amount",
    "repeated_lines": "two per cent of the day's ledger lines are written twice",
    "mint_without_backing": "a MINT is booked that no wallet received",
    "lost_snapshot": "one wallet is missing in the extract that closes the day",
    "negative_balance": "one wallet has a negative balance in the extract that closes the day",
    "tampered_balance": "one wallet holds more than the ledger explains, from the day on",
    "dropped_window": "the ledger lines of some hours (`hours`, default 2) are never written",
    "stale_source": "a source (`table`, default payment_orders_raw) delivers nothing for the day",
    "bad_status": "a payment order has a status nobody knows",
}
"""Kinds of faults that can be planted, and what each does to the files."""

STALE_TABLES = ("payment_orders_raw", "transaction_ledger_raw", "user_wallets_raw")

FEWEST_ENTRIES_PER_DAY = 10


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault to plant on the ``day``-th generated day (from 1); ``KINDS`` says what each kind does."""

    kind: str
    day: int
    table: str = STALE_TABLES[0]
    hours: float = 2

    @property
    def name(self) -> str:
        """Name of the fault in messages."""
        return f"{self.kind} on day {self.day}"


@dataclass(frozen=True, kw_only=True)
class GenerateRequest:
    """What to generate.

    ``entries`` counts the ledger entries of a faultless ledger over all days; ``wallets`` includes merchants and the
    treasury (``system``). The same request gives the same bytes.
    """

    out: Path
    days: int
    wallets: int
    entries: int
    first_day: date
    seed: int = 0
    faults: tuple[Fault, ...] = ()

    def check(self) -> None:
        """Check that the request can be fulfilled.

        Raises:
            LakeError: too few wallets or entries, a fault that does not fit, or a folder that is not empty.
        """
        if self.wallets < 3:  # noqa: PLR2004 - treasury, merchant and customer
            raise LakeError(f"{self.wallets} wallets are too few: at least 3 (treasury, merchant, customer)")
        if self.entries < FEWEST_ENTRIES_PER_DAY * self.days:
            raise LakeError(
                f"{self.entries} entries are too few for {self.days} days: at least"
                f" {FEWEST_ENTRIES_PER_DAY * self.days}, so that no day looks like a dead source"
            )
        for fault in self.faults:
            self._check_fault(fault)
        if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            raise LakeError(f"{self.out} is not empty: name a new folder with --out")

    def _check_fault(self, fault: Fault) -> None:
        if fault.kind not in KINDS:
            raise LakeError(f"unknown kind of fault {fault.kind!r}: choose among {', '.join(KINDS)}")
        if not 1 <= fault.day <= self.days:
            raise LakeError(f"fault {fault.name}: there are days 1 to {self.days}")
        if fault.kind == "late_row" and fault.day == self.days:
            raise LakeError(f"fault {fault.name}: the row would arrive after the last day; choose an earlier one")
        if fault.kind == "stale_source" and fault.table not in STALE_TABLES:
            raise LakeError(f"fault {fault.name}: table is one of {', '.join(STALE_TABLES)}, not {fault.table!r}")
        if fault.kind == "dropped_window" and not 0 < fault.hours <= 12:  # noqa: PLR2004 - the window starts by 08:00
            raise LakeError(f"fault {fault.name}: hours lie between 0 and 12, not {fault.hours}")


@dataclass(frozen=True, kw_only=True)
class GenerateReport:
    """What was written: lines by Bronze table, and the number of files."""

    rows: dict[str, int] = field(default_factory=dict)
    files: int = 0


class _FaultRecord(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    kind: str
    day: int
    table: str = STALE_TABLES[0]
    hours: float = Field(default=2, strict=False)


def read_faults(path: Path) -> tuple[Fault, ...]:
    """Read a JSON or YAML list of faults, ``{kind, day, table?, hours?}`` each.

    Raises:
        LakeError: the file cannot be read or holds no such list.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document: Any = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
        records = TypeAdapter(list[_FaultRecord]).validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        raise LakeError(f"{path}: {place}: {first['msg']}; write a list of {{kind, day}}") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise LakeError(f"{path} cannot be read as a list of faults: {' '.join(str(error).split())}") from error
    return tuple(Fault(**record.model_dump()) for record in records)
