"""The files: one per table and delivery, named after the KST day that the delivery closes."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Self

TABLES = (
    "user_wallets_raw",
    "transaction_ledger_raw",
    "payment_orders_raw",
    "orders_raw",
    "order_items_raw",
    "products_raw",
)


class Deliveries:
    """Writes the lines of all deliveries, in order; use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, IO[str]] = {}
        self.name = ""
        self.rows = dict.fromkeys(TABLES, 0)
        self.files = 0

    def __enter__(self) -> Self:
        """Return the writer; a file is opened by its first line."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files."""
        self._close()

    def start(self, name: str) -> None:
        """Begin the next delivery."""
        self._close()
        self.name = name

    def write(self, table: str, line: str) -> None:
        """Add a line, without line end, to the table's file of the delivery."""
        file = self._files.get(table)
        if file is None:
            path = self._folder / table / f"{self.name}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            file = self._files[table] = path.open("w", encoding="utf-8", newline="\n", buffering=1 << 20)
            self.files += 1
        file.write(line + "\n")
        self.rows[table] += 1

    def _close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files = {}


def money(cents: int) -> str:
    """Return an amount of hundredths as text with two decimals."""
    sign, cents = ("-", -cents) if cents < 0 else ("", cents)
    return f"{sign}{cents // 100}.{cents % 100:02d}"
