"""gold.fact_market_price over a sample: built where it is wanted, kept up by arrival, healed by a withdrawal."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from tests.dbt_runs import invoke_dbt

Prices = dict[tuple[date, str], tuple[Decimal, Decimal, Decimal, int]]


class Lake:
    """A warehouse with market prices: quotes are put into Bronze, dbt builds the fact."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.warehouse = work / "warehouse.duckdb"

    def build(self) -> dict[str, str]:
        arguments = ["build", "--select", "+fact_market_price", "--vars", "{market_price: true}"]
        result = invoke_dbt(arguments, work=self.work, warehouse=self.warehouse)
        assert result.success, [node.message for node in result.result or [] if str(node.status) in {"error", "fail"}]
        return {node.node.name: str(node.status) for node in result.result}

    def sql(self, statement: str, parameters: list[Any] | None = None) -> list[Any]:
        with duckdb.connect(str(self.warehouse)) as connection:
            return connection.execute(statement, parameters or []).fetchall()

    def load(self, batch_seq: int, *quotes: tuple[str | None, str, str]) -> None:
        """Put (symbol, price, quoted_at) into Bronze as one batch."""
        self.sql(
            "insert into bronze.load_registry (batch_id, batch_seq, table_name, status, status_seq)"
            " values (?, ?, 'market_price_raw', 'loaded', 0)",
            [f"b{batch_seq}", batch_seq],
        )
        for line, (symbol, price, quoted_at) in enumerate(quotes, start=1):
            self.sql(
                "insert into bronze.market_price_raw (symbol, price, currency, quoted_at, batch_id, line_number,"
                " ingest_seq, raw_json) values (?, ?, 'KRW', ?, ?, ?, ?, '{}')",
                [symbol, price, datetime.fromisoformat(quoted_at), f"b{batch_seq}", line, batch_seq * 2**32 + line],
            )

    def prices(self) -> Prices:
        rows = self.sql(
            "select date_kst, symbol, close_price, high_price, low_price, quote_cnt from gold.fact_market_price"
        )
        return {(day, symbol): (close, high, low, count) for day, symbol, close, high, low, count in rows}


def prices(close: int, high: int, low: int, count: int) -> tuple[Decimal, Decimal, Decimal, int]:
    return Decimal(close), Decimal(high), Decimal(low), count


DAY_1, DAY_2 = date(2026, 2, 1), date(2026, 2, 2)


def test_market_prices_follow_arrivals_late_quotes_and_withdrawals(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    built = lake.build()
    assert built["test_fact_market_price__the_last_quote_closes_the_day"] == "pass"
    assert lake.prices() == {}

    lake.load(
        1,
        ("KRW-BTC", "100", "2026-02-01T01:00:00"),
        (" KRW-BTC ", "130", "2026-02-01T02:00:00"),
        ("KRW-BTC", "120", "2026-02-01T14:59:59"),  # last instant of the KST day
        ("KRW-BTC", "50", "2026-02-01T15:00:00"),  # first of the next
        ("KRW-ETH", "7", "2026-02-01T01:00:00"),
        (None, "1", "2026-02-01T01:00:00"),
        ("KRW-ETH", "0", "2026-02-01T03:00:00"),
    )
    lake.build()
    first = {
        (DAY_1, "KRW-BTC"): prices(120, 130, 100, 3),
        (DAY_2, "KRW-BTC"): prices(50, 50, 50, 1),
        (DAY_1, "KRW-ETH"): prices(7, 7, 7, 1),
    }
    assert lake.prices() == first

    lake.load(2, ("KRW-BTC", "90", "2026-02-01T03:00:00"))  # late: moves the low, not the close
    lake.build()
    assert lake.prices() == first | {(DAY_1, "KRW-BTC"): prices(120, 130, 90, 4)}
    runs = dict(lake.sql("select symbol || date_kst, run_id from gold.fact_market_price"))
    assert runs["KRW-BTC2026-02-01"] != runs["KRW-BTC2026-02-02"], "a day without new quotes is not written again"

    lake.sql("update bronze.load_registry set status = 'withdrawn', status_seq = 1 where batch_id = 'b1'")
    lake.build()
    assert lake.prices() == {(DAY_1, "KRW-BTC"): prices(90, 90, 90, 1)}

    lake.sql("update bronze.load_registry set status = 'loaded', status_seq = 2 where batch_id = 'b1'")
    lake.build()
    assert lake.prices() == first | {(DAY_1, "KRW-BTC"): prices(120, 130, 90, 4)}


def test_without_the_variable_nothing_of_it_exists(tmp_path: Path) -> None:
    result = invoke_dbt(
        ["build", "--select", "int_order_links"], work=tmp_path, warehouse=tmp_path / "warehouse.duckdb"
    )
    assert result.result is not None, result.exception
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        tables = {name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()}
    assert "orders_raw" in tables
    assert {name for name in tables if "market" in name} == set()
