"""Loads folders of JSON lines in tests and reads Bronze, without dbt."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from python_jobs.load import FileOutcome, LoadReport, load_folder
from tests.dbt_runs import PROJECT

NOW = datetime(2026, 3, 10, 1, 2, 3, tzinfo=UTC)

GOOD: dict[str, dict[str, Any]] = {
    "user_wallets": {
        "user_id": "user_1",
        "balance": "1000.00",
        "frozen_amount": "0.00",
        "updated_at": "2026-02-01T00:00:00Z",
        "is_deleted": False,
    },
    "transaction_ledger": {
        "tx_id": "tx_1",
        "wallet_id": "user_1",
        "type": "PAYMENT",
        "amount": "10.00",
        "related_id": "po_1",
        "created_at": "2026-02-01T00:00:00Z",
    },
    "payment_orders": {
        "order_id": "po_1",
        "user_id": "user_1",
        "merchant_name": "Shop A",
        "amount": "10.00",
        "status": "PAID",
        "created_at": "2026-02-01T00:00:00Z",
    },
    "orders": {
        "order_id": 1,
        "user_id": "user_1",
        "total_amount": "10.00",
        "status": "PAID",
        "created_at": "2026-02-01T00:00:00Z",
    },
    "order_items": {"item_id": 1, "order_id": 1, "product_id": 7, "quantity": 1, "price_at_purchase": "10.00"},
    "products": {
        "product_id": 7,
        "product_name": "Tea",
        "price_krw": "10.00",
        "stock_quantity": 5,
        "category": "TEA",
        "is_display": True,
    },
}
"""One good line of each source, with the keys of the reference."""

Line = Mapping[str, Any] | str | bytes


def content(lines: Iterable[Line]) -> bytes:
    """Bytes of a file; text and bytes are taken as they are, the rest as JSON."""
    texts = (line if isinstance(line, str | bytes) else json.dumps(line) for line in lines)
    return b"".join((text if isinstance(text, bytes) else text.encode()) + b"\n" for text in texts)


def write(path: Path, lines: Iterable[Line]) -> Path:
    """Write a file of lines, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content(lines))
    return path


@dataclass(kw_only=True)
class Bronze:
    """A warehouse below ``work`` and a folder of files beside it."""

    work: Path
    now: datetime = NOW
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder = self.work / "incoming"
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def warehouse(self) -> Path:
        """The DuckDB file."""
        return self.work / "plura.duckdb"

    def write(self, name: str, *lines: Line) -> Path:
        """Write a file below the folder."""
        return write(self.folder / name, lines)

    def load(self, folder: Path | None = None, **options: Any) -> LoadReport:
        """Load the folder as ``plura lake load --no-validate`` does."""
        options = {"now": self.now} | options
        return load_folder(project_dir=PROJECT, warehouse=self.warehouse, folder=folder or self.folder, **options)

    def outcomes(self, **options: Any) -> dict[str, str]:
        """Load, and return the outcome of each file by its name below the folder."""
        return {file.path.relative_to(self.folder).as_posix(): file.outcome for file in self.load(**options).files}

    def only(self, **options: Any) -> FileOutcome:
        """Load, and return the outcome of the only file."""
        (file,) = self.load(**options).files
        return file

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement."""
        with duckdb.connect(str(self.warehouse)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(statement).fetchall()

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of Bronze by table, without the instants of loading."""
        names = [name for (name,) in self.sql("select table_name from duckdb_tables() where schema_name = 'bronze'")]
        loaded = "columns(lambda name: name not in ('ingested_at', 'loaded_at', 'status_changed_at'))"
        return {name: self.sql(f"select {loaded} from bronze.{name} order by all") for name in names}


class Killed(BaseException):
    """Stands for the end of the process."""


def dies(action: Callable[..., Any], call: int, *, before: bool) -> Callable[..., Any]:
    """The action, of which one call is the last thing the process does."""
    calls = 0

    def dying(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and before:
            raise Killed
        result = action(*arguments, **options)
        if calls == call:
            raise Killed
        return result

    return dying
