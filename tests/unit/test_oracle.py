"""The oracle against figures worked out by hand, and against the outcomes promised for the reference scenarios."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.oracle.analytics import salted
from tests.oracle.bronze import (
    Batch,
    NumberText,
    bronze_rows,
    to_boolean,
    to_decimal,
    to_integer,
    to_text,
    to_timestamp,
)
from tests.oracle.clock import day_end, day_start
from tests.oracle.guardrail import LEDGER, WALLETS, evaluate, guard_rows
from tests.oracle.lake import TableRow, expected
from tests.oracle.rules import Rules, parse_entry_types, parse_rules, read_csv
from tests.oracle.silver import SilverTables, gate_breaches, silver
from tests.scenario_inputs import scenario_files

ROOT = Path(__file__).resolve().parents[2]
RULES = read_csv(ROOT / "seeds" / "rules.csv")
ENTRY_TYPES = read_csv(ROOT / "seeds" / "entry_types.csv")
RECON = "gold.recon_daily_snapshot_flow"
SUPPLY = "gold.ledger_supply_balance_daily"
PAIRING = "gold.ops_ledger_pairing_quality_daily"
ADMIN = "gold.admin_tx_search"
EXCEPTIONS = "gold.exception_ledger"

D1 = date(2026, 3, 2)
D2 = date(2026, 3, 3)
AS_OF = datetime(2026, 3, 10, tzinfo=UTC)


def kst(day: date, clock: str) -> str:
    """ISO instant of a KST wall clock time."""
    return f"{day}T{clock}+09:00"


def batch(table: str, *records: dict[str, Any] | str, seq: int = 1, **changes: Any) -> Batch:
    """A load without extraction instant."""
    lines = tuple(record if isinstance(record, str) else json.dumps(record) for record in records)
    return Batch(table, lines, changes.pop("extracted_at", None), AS_OF, seq, **changes)


def snap(user: str, at: str, balance: object) -> dict[str, object]:
    """Wallet line extracted at an instant."""
    return {"user_id": user, "balance": balance, "frozen_amount": 0, "source_extracted_at": at}


def entry(tx: str, wallet: str, kind: str, amount: object, at: str, related: str | None = None) -> dict[str, object]:
    """Ledger line."""
    return {
        "tx_id": tx,
        "wallet_id": wallet,
        "entry_type": kind,
        "amount": amount,
        "related_id": related,
        "event_time": at,
    }


def lake(
    snaps: list[dict[str, object]],
    entries: list[dict[str, object]],
    *,
    days: list[date] | None = None,
    rules: list[dict[str, str]] | None = None,
    gate: bool = False,
) -> dict[str, list[TableRow]]:
    """Expected tables of one wallet and one ledger load; day rows tag nothing unless `gate` is set."""
    chosen = RULES if rules is None else rules
    if not gate:
        chosen = [rule for rule in chosen if not rule["metric"].endswith("_day")]
    batches = [batch("user_wallets_raw", *snaps), batch("transaction_ledger_raw", *entries, seq=2)]
    return expected(batches, chosen, ENTRY_TYPES, AS_OF, days or [D1])


def rule(domain: str, metric: str, **columns: str) -> dict[str, str]:
    """Seed record of a rule."""
    return {"rule_id": f"{metric}_test", "domain": domain, "metric": metric} | columns


def without(metric: str) -> list[dict[str, str]]:
    """Default rules but for one metric."""
    return [rule for rule in RULES if rule["metric"] != metric]


def figures(row: TableRow, *columns: str) -> tuple[object, ...]:
    """Some columns, decimals as text so that the scale counts as well."""
    return tuple(str(row[name]) if isinstance(row[name], Decimal) else row[name] for name in columns)


def silver_of(*batches: Batch, rules: list[dict[str, str]] | None = None) -> SilverTables:
    """Silver under the default rules."""
    return silver(batches, parse_rules(rules or RULES), parse_entry_types(ENTRY_TYPES), AS_OF)


# Bronze


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (" 12.5 ", "12.50"),
        (NumberText("1e3"), "1000.00"),
        ("1.000", "1.00"),  # further decimals are zeros
        ("1.001", None),  # never rounded
        ("9999999999999999.99", "9999999999999999.99"),  # 16 integer digits
        ("10000000000000000", None),  # 17
        ("-0", "0.00"),
        ("1,0", None),
        (True, None),
        ("", None),
        ("1e999999999999999999999", None),
    ],
)
def test_decimals_are_exact(given: object, wanted: str | None) -> None:
    """A value that decimal(18,2) cannot hold is NULL."""
    found = to_decimal(given)
    assert (None if found is None else str(found)) == wanted


def test_whole_numbers_booleans_and_texts() -> None:
    """2^31 is the first value beyond int."""
    assert [to_integer(given, 32) for given in ("5", NumberText("1.0"), "1.5", "2147483647", "2147483648", True)] == [
        5,
        1,
        None,
        2147483647,
        None,
        None,
    ]
    given = (True, "FALSE", "yes", NumberText("1"), NumberText("0.0"), "1", "1.0", NumberText("2"))
    assert [to_boolean(value) for value in given] == [True, False, None, True, False, True, None, None]
    assert [to_text(value) for value in (NumberText("1.50"), True, [1], " a ")] == ["1.5", "true", None, " a "]
    numbers = ("1001", "1001.0", "1.001e3", "-0", "0e5", "-2.50e-1", "1e1001")
    assert [to_text(NumberText(number)) for number in numbers] == ["1001", "1001", "1001", "0", "0", "-0.25", None]


def test_timestamps() -> None:
    """09:00 KST is 00:00 UTC; the seventh digit of a second is cut."""
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    assert to_timestamp("2026-03-02T09:00:00+09:00") == midnight
    assert to_timestamp("2026-03-02 00:00:00") == to_timestamp("2026-03-02") == midnight
    assert to_timestamp("2026-03-02T00:00:00.1234567Z") == midnight + timedelta(microseconds=123456)
    assert to_timestamp("2026-02-30") is None
    assert to_timestamp(NumberText("1767225600")) is None


def test_lines_spellings_and_malformed() -> None:
    """The first spelling with a value wins; line 2 is blank, lines 3 to 5 are no strict JSON object."""
    rows = bronze_rows(
        [
            batch(
                "transaction_ledger_raw",
                {"entry_type": None, "type": "MINT", "created_at": "2026-03-02", "event_time": "2026-03-03"},
                "  ",
                "[]",
                '{"a": NaN}',
                "{",
                seq=3,
            )
        ]
    )
    assert [row.malformed for row in rows] == [False, True, True, True]
    assert rows[0].text("type") == "MINT"
    assert rows[0].instant("created_at") == datetime(2026, 3, 3, tzinfo=UTC)
    assert rows[1].ingest_seq == 3 * 2**32 + 3


def test_a_file_twice_is_one_batch_and_a_second_load_reinstates_it() -> None:
    """The withdrawn first load stands again from its own place in the order of arrival."""
    record = snap("a", kst(D1, "00:00"), 1)
    first = batch("user_wallets_raw", record, seq=1, withdrawn=True)
    assert bronze_rows([first]) == []
    assert [row.ingest_seq for row in bronze_rows([first, batch("user_wallets_raw", record, seq=9)])] == [2**32 + 1]


# Silver


def test_the_greatest_version_is_stored_and_an_invalid_one_erases_nothing() -> None:
    """Versions by extraction instant: 2 arrives first, 1 is older, 3 is broken."""
    orders = [
        {"order_id": "po_1", "amount": amount, "status": status, "created_at": kst(D1, "01:00"), "updated_at": at}
        for amount, status, at in [
            (5, "PAID", "2026-03-04"),
            (5, "PENDING", "2026-03-03"),
            (-5, "REFUNDED", "2026-03-05"),
        ]
    ]
    tables = silver_of(batch("payment_orders_raw", *orders))
    assert [order.status for order in tables.order_events.values()] == ["PAID"]
    assert [bad.reason for bad in tables.bad_rows] == ["non_positive_amount"]


def test_a_ledger_entry_is_immutable_within_a_version() -> None:
    """Same version time: the first line stands, the one with another amount conflicts, the repeated one does not."""
    at = kst(D1, "01:00")
    lines = [entry("t", "a", "CHARGE", amount, at) for amount in (10, 15, 10)]
    tables = silver_of(batch("transaction_ledger_raw", *lines))
    assert [entry.amount for entry in tables.ledger_entries.values()] == [Decimal("10.00")]
    assert [(bad.reason, json.loads(bad.raw)["amount"]) for bad in tables.bad_rows] == [("conflicting_entry", 15)]
    breach = gate_breaches(tables, parse_rules(RULES), AS_OF)[0]
    # 1 bad row of 3 is more than 1 %.
    assert (breach.table, breach.bad, breach.total) == ("silver.ledger_entries", 1, 3)


def test_the_gate_is_open_at_the_threshold_and_counts_malformed_lines() -> None:
    """1 of 100 is exactly 1 %; 1 of 99 is more."""
    good = [snap(f"u{number}", kst(D1, "00:00"), 1) for number in range(99)]
    rules = parse_rules(RULES)
    assert gate_breaches(silver_of(batch("user_wallets_raw", *good, "{")), rules, AS_OF) == []
    assert len(gate_breaches(silver_of(batch("user_wallets_raw", *good[1:], "{")), rules, AS_OF)) == 1


def test_first_failed_check_names_the_reason() -> None:
    """One line per reason; blank ids are missing, a deleted wallet needs no balance."""
    tables = silver_of(
        batch(
            "user_wallets_raw",
            {"user_id": " ", "balance": -1, "frozen_amount": 0},
            {"user_id": "a", "balance": "x", "frozen_amount": 0},
            {"user_id": "a", "balance": 0, "frozen_amount": "-0.01"},
            {"user_id": "a", "is_deleted": True},
        ),
        batch(
            "order_items_raw",
            {"item_id": 1, "order_id": 1, "product_id": None},
            {"item_id": 1, "order_id": 1, "product_id": 1, "quantity": "true", "price_at_purchase": -1},
            {"item_id": 1, "order_id": 1, "product_id": 1, "quantity": None, "price_at_purchase": -1},
            {"item_id": 1, "order_id": 1, "product_id": 1, "price_at_purchase": "1.234"},
            seq=2,
        ),
    )
    assert [bad.reason for bad in tables.bad_rows] == [
        "missing_user_id",
        "invalid_balance",
        "negative_balance",
        "missing_required_keys",
        "invalid_quantity",
        "negative_price",
        "invalid_price",
    ]
    assert [str(snapshot.balance_total) for snapshot in tables.wallet_snapshot.values()] == ["0.00"]


def test_row_rules_are_those_of_the_rows_day() -> None:
    """TOPUP is forbidden from D2 on; the rule of D2 starts at 00:00 KST and holds for the whole day."""
    first = rule("silver", "entry_type_allowed", allowed_values='["CHARGE", "BURN"]')
    second = rule(
        "silver",
        "entry_type_allowed",
        rule_id="v2",
        allowed_values='["CHARGE"]',
        effective_start_ts=f"{day_start(D2):%Y-%m-%d %H:%M:%S}",
    )
    lines = [
        entry("t1", "a", "BURN", 1, kst(D1, "23:59:59")),
        entry("t2", "a", "BURN", 1, kst(D2, "00:00:00")),
    ]
    rules = [*without("entry_type_allowed"), first, second]
    tables = silver_of(batch("transaction_ledger_raw", *lines), rules=rules)
    assert [entry.tx_id for entry in tables.ledger_entries.values()] == ["t1"]
    assert [bad.reason for bad in tables.bad_rows] == ["invalid_entry_type"]


# Rules


def test_severity_of_guardrail_and_controls() -> None:
    """The guardrail compares with >=, controls with >; the threshold counts only without warn and crit."""
    limits, threshold = parse_rules(
        [
            rule("dq", "a", threshold="5", severity_map='{"warn": 10, "crit": 20}'),
            rule("dq", "b", threshold="5"),
        ]
    ).versions
    assert [limits.severity(Fraction(value), inclusive=True) for value in (9, 10, 20)] == [None, "WARN", "CRITICAL"]
    assert [limits.severity(Decimal(value), inclusive=False) for value in (10, 20, 21)] == [None, "WARN", "CRITICAL"]
    assert [threshold.severity(Decimal(value), inclusive=False) for value in (5, 6)] == [None, "CRITICAL"]


def test_the_most_specific_scope_wins() -> None:
    """A rule of another table is not taken."""
    rules: Rules = parse_rules(
        [rule("dq", "m", rule_id="all"), rule("dq", "m", rule_id="one", scope=LEDGER)],
    )
    found = [rules.on_day("dq", "m", D1, scope) for scope in (LEDGER, WALLETS, None)]
    assert [rule.rule_id if rule else None for rule in found] == ["one", "all", "all"]


# Guardrail


def test_day_figures() -> None:
    """4 lines of D1: one repeated, one bad. Newest 18:00 KST: 6 h = 21600 s before the end of the day."""
    lines = [
        entry("t1", "a", "CHARGE", 1, kst(D1, "10:00")),
        entry("t1", "a", "CHARGE", 1, kst(D1, "10:00")),
        entry("t2", "a", "CHARGE", -1, kst(D1, "18:00")),
        entry(" ", "a", "CHARGE", 1, kst(D1, "11:00")),
    ]
    tables = silver_of(batch("transaction_ledger_raw", *lines))
    rows, rules = guard_rows(tables), parse_rules(RULES)
    status, found = evaluate(rows, LEDGER, (day_start(D1), day_end(D1)), "day", rules, AS_OF)
    columns = ("event_count", "freshness_sec", "dup_rate", "bad_records_rate", "zero_windows", "dq_tag", "severity")
    # 3 usable keys, 2 of them distinct: 1/3; bad are the negative amount and the blank id: 2/4.
    wanted = (4, 21600, "0.333333", "0.500000", 0, "DUP_SUSPECTED", "CRITICAL")
    assert figures(vars(status), *columns) == wanted
    assert [finding.metric for finding in found] == ["dup_rate_tx_id", "contract_bad_records_rate"]
    # The next day is empty: 6 h + 24 h = 108000 s, floor(30 h / 24 h) = 1.
    status, found = evaluate(rows, LEDGER, (day_start(D2), day_end(D2)), "day", rules, AS_OF)
    assert figures(vars(status), *columns) == (0, 108000, "0.000000", "0.000000", 1, "SOURCE_STALE", "CRITICAL")
    assert [finding.metric for finding in found] == ["freshness_sec_day", "completeness_zero_windows_day"]
    # A tile 18:20-18:30: 30 min = 1800 s, three empty tiles.
    start = day_start(D1) + timedelta(hours=18, minutes=20)
    status, found = evaluate(rows, LEDGER, (start, start + timedelta(minutes=10)), "tile", rules, AS_OF)
    assert (status.freshness_sec, status.zero_windows, len(found)) == (1800, 3, 2)
    # A source that was never seen has no freshness, and its day counts as one empty window.
    status, _ = evaluate(rows, WALLETS, (day_start(D1), day_end(D1)), "day", rules, AS_OF)
    assert (status.freshness_sec, status.zero_windows, status.dq_tag) == (None, 1, None)


def test_hourly_extracts_and_status_changes_are_no_duplicates() -> None:
    """Other version time, or other status of a payment order."""
    order = {"order_id": "po", "amount": 1, "created_at": kst(D1, "01:00")}
    statuses = expected(
        [
            batch("user_wallets_raw", snap("a", kst(D1, "01:00"), 1), snap("a", kst(D1, "02:00"), 1)),
            batch("payment_orders_raw", order | {"status": "PENDING"}, order | {"status": "PAID"}, seq=2),
        ],
        RULES,
        ENTRY_TYPES,
        day_end(D1),
    )["silver.dq_status"]
    assert [(row["event_count"], str(row["dup_rate"])) for row in statuses] == [
        (0, "0.000000"),
        (2, "0.000000"),
        (2, "0.000000"),
    ]


# Recon


def recon_of(tables: dict[str, list[TableRow]], *columns: str) -> list[tuple[object, ...]]:
    """Recon rows cut to some columns."""
    return [figures(row, *columns) for row in tables[RECON]]


def test_nearest_snapshot_and_the_earlier_of_equals() -> None:
    """23:00 of D1 and 01:00 of D2 are one hour from the boundary: 23:00 closes D1 and opens D2."""
    tables = lake(
        [
            snap("a", kst(D1, "00:00"), 100),
            snap("a", kst(D1, "23:00"), 90),
            snap("a", kst(D2, "01:00"), 80),
            snap("a", kst(D2, "23:30"), 80),
        ],
        [entry("t1", "a", "WITHDRAW", 10, kst(D1, "23:00")), entry("t2", "a", "WITHDRAW", 10, kst(D1, "23:30"))],
        days=[D1, D2],
    )
    columns = ("delta_balance_total", "net_flow_total", "net_flow_kst_day", "drift_abs", "coverage", "verdict")
    assert recon_of(tables, *columns) == [
        # (00:00, 23:00] holds the entry at 23:00; the plain day holds both.
        ("-10.00", "-10.00", "-20.00", "0.00", "FULL", "OK"),
        ("-10.00", "-10.00", "0.00", "0.00", "FULL", "OK"),
    ]


def test_drift_and_its_share() -> None:
    """Balance +50, flow +30: drift 20, 20/30 = 0.666667."""
    tables = lake(
        [snap("a", kst(D1, "00:00"), 100), snap("a", kst(D2, "00:00"), 150)],
        [entry("t", "a", "CHARGE", 30, kst(D1, "12:00"))],
    )
    assert recon_of(tables, "drift_abs", "drift_pct", "verdict", "severity") == [
        ("20.00", "0.666667", "DRIFT", "CRITICAL")
    ]
    drifts = [row for row in tables[EXCEPTIONS] if row["metric"] == "drift_abs"]
    assert [figures(row, "subject", "metric_value") for row in drifts] == [("a", "20.000000")]
    assert "user_id" not in drifts[0]["message"]


def test_new_wallet_starts_from_nothing() -> None:
    """The feed knew `old` before; `new` books 70 at 10:00 and is first extracted with 70 at midnight."""
    tables = lake(
        [snap("old", kst(D1, "00:00"), 0), snap("new", kst(D2, "00:00"), 70)],
        [entry("t", "new", "CHARGE", 70, kst(D1, "10:00"))],
    )
    row = next(row for row in tables[RECON] if row["user_id"] == "new")
    assert figures(row, "opening_balance", "net_flow_total", "drift_abs", "coverage", "verdict") == (
        "0.00",
        "70.00",
        "0.00",
        "NEW_WALLET",
        "OK",
    )
    # Just before the entry at 10:00 KST = 01:00 UTC.
    assert row["opening_ts"] == datetime(2026, 3, 2, 0, 59, 59, 999999)


def test_without_an_earlier_feed_a_wallet_opens_at_its_first_snapshot() -> None:
    """First snapshot at 13:00, 13 h after the opening boundary: the entry at 10:00 is before the span."""
    tables = lake(
        [snap("a", kst(D1, "13:00"), 70), snap("a", kst(D2, "00:00"), 60)],
        [entry("t1", "a", "CHARGE", 70, kst(D1, "10:00")), entry("t2", "a", "WITHDRAW", 10, kst(D1, "20:00"))],
    )
    assert recon_of(tables, "delta_balance_total", "net_flow_total", "coverage", "verdict") == [
        ("-10.00", "-10.00", "NO_OPENING", "OK")
    ]


def test_no_closing_and_no_snapshot_are_reported() -> None:
    """`a` is first extracted two days later, `b` never: nothing can be compared, the day's flow stands."""
    later = date(2026, 3, 5)
    tables = lake(
        [snap("a", kst(later, "00:00"), 5)],
        [entry("t1", "a", "CHARGE", 5, kst(D1, "10:00")), entry("t2", "b", "CHARGE", 7, kst(D1, "10:00"))],
    )
    columns = ("user_id", "delta_balance_total", "net_flow_total", "drift_abs", "coverage", "verdict")
    assert recon_of(tables, *columns) == [
        ("a", None, "5.00", None, "NO_CLOSING", "UNRECONCILED"),
        ("b", None, "7.00", None, "NO_SNAPSHOT", "UNRECONCILED"),
    ]


def test_stale_closing_with_entries_after_it() -> None:
    """Both boundaries fall on 01:00 of D1, 23 h before the end; an idle wallet of the same kind is fine."""
    tables = lake(
        [snap("busy", kst(D1, "01:00"), 9), snap("idle", kst(D1, "01:00"), 9)],
        [entry("t", "busy", "CHARGE", 5, kst(D1, "10:00"))],
    )
    assert recon_of(tables, "user_id", "delta_balance_total", "coverage", "verdict") == [
        ("busy", None, "STALE_SNAPSHOT", "UNRECONCILED"),
        ("idle", "0.00", "FULL", "OK"),
    ]


def test_a_row_needs_a_date_or_a_moved_span() -> None:
    """The snapshot of 01:00 on D2 closes D1 and moves its span, but nothing moves on the day after D2."""
    after = date(2026, 3, 4)
    tables = lake(
        [snap("a", kst(date(2026, 3, 1), "12:00"), 5), snap("a", kst(D2, "01:00"), 5)], [], days=[D1, D2, after]
    )
    assert [row["date_kst"] for row in tables[RECON]] == [D1, D2]


def test_the_tolerance_is_the_one_of_the_boundary() -> None:
    """From D2 00:00 KST on 1 h: 03:00 of D2 no longer closes D1, 20:00 of D1 does and is stale after 4 h."""
    short = rule(
        "ledger",
        "snapshot_tolerance_hours",
        threshold="1",
        effective_start_ts=f"{day_start(D2):%Y-%m-%d %H:%M:%S}",
    )
    snaps = [snap("a", kst(D1, "20:00"), 5), snap("a", kst(D2, "03:00"), 6)]
    entries = [entry("t", "a", "CHARGE", 1, kst(D1, "22:00"))]
    assert recon_of(lake(snaps, entries), "coverage", "verdict") == [("NO_OPENING", "OK")]
    assert recon_of(lake(snaps, entries, rules=[*RULES, short]), "coverage", "verdict") == [
        ("STALE_SNAPSHOT", "UNRECONCILED")
    ]


# Supply


def test_supply_rolls_balances_to_the_end_of_the_day() -> None:
    """Issued 100. `a` 30 at 20:00, +20 at 22:00; `b` 60 at 02:00 of D2, of which 10 came at the exact midnight."""
    tables = lake(
        [snap("a", kst(D1, "20:00"), 30), snap("b", kst(D2, "02:00"), 60)],
        [
            entry("t1", "a", "CHARGE", 30, kst(D1, "09:00")),
            entry("t2", "a", "CHARGE", 20, kst(D1, "22:00")),
            entry("t3", "b", "CHARGE", 50, kst(D1, "09:00")),
            entry("t4", "b", "CHARGE", 10, kst(D2, "00:00")),
        ],
    )
    # 30 + 20 and 60 - 10: 100 in wallets.
    columns = ("issued_supply", "wallet_total_balance", "diff_amount", "is_ok", "verdict", "stale_wallet_count")
    assert figures(tables[SUPPLY][0], *columns) == ("100.00", "100.00", "0.00", True, "OK", 0)


def test_supply_without_data_baseline_or_with_an_opening() -> None:
    """D1 has a payment but no supply entry; D2 has nothing; an opening of 40 is a baseline."""
    snaps = [snap("a", kst(D1, "01:00"), 40)]
    columns = ("issued_supply", "wallet_total_balance", "is_ok", "verdict", "max_snapshot_age_sec")
    rows = lake(snaps, [], days=[D1, D2])[SUPPLY]
    # 23 h and 47 h old at the end of the days.
    assert [figures(row, *columns) for row in rows] == [
        ("0.00", "40.00", False, "NO_BASELINE", 82800),
        ("0.00", "40.00", False, "NO_DATA", 169200),
    ]
    opened = lake(snaps, [], rules=[*RULES, rule("ledger", "supply_opening", threshold="40")])[SUPPLY]
    assert figures(opened[0], "issued_supply", "is_ok", "verdict") == ("40.00", True, "OK")


def test_the_soft_gate_suppresses_the_verdicts() -> None:
    """No ledger line on D2: stale and empty; the drift of 1 and the false supply raise nothing."""
    tables = lake(
        [snap("a", kst(D1, "00:00"), 5), snap("a", kst(D2, "00:00"), 5), snap("a", kst(D2, "23:59"), 6)],
        [entry("t", "b", "CHARGE", 5, kst(D1, "00:00"))],
        days=[D2],
        gate=True,
    )
    assert recon_of(tables, "drift_abs", "dq_tag", "verdict", "severity") == [
        ("1.00", "SOURCE_STALE", "SUPPRESSED", None)
    ]
    assert figures(tables[SUPPLY][0], "dq_tag", "verdict", "is_ok") == ("SOURCE_STALE", "SUPPRESSED", False)
    assert {row["domain"] for row in tables[EXCEPTIONS]} == {"dq"}


# Pairing


def test_pairs_by_rank_across_midnight() -> None:
    """Two equal payments of one order: the first pays the first receipt, the second the one after midnight."""
    tables = lake(
        [],
        [
            entry("p1", "a", "PAYMENT", 10, kst(D1, "10:00"), "po"),
            entry("p2", "a", "PAYMENT", 10, kst(D1, "23:59"), "po"),
            entry("r2", "b", "RECEIVE", 10, kst(D2, "00:01"), "po"),
            entry("r1", "b", "RECEIVE", 10, kst(D1, "10:00"), "po"),
            entry("h1", "a", "HOLD", 10, kst(D1, "09:00"), "po"),
            entry("x1", "a", "REFUND_IN", 3, kst(D2, "12:00"), "po"),
            entry("x2", "b", "REFUND_OUT", 4, kst(D2, "12:00"), "po"),
        ],
        days=[D1, D2],
    )
    assert {row["tx_id"]: row["paired_tx_id"] for row in tables[ADMIN]} == {
        "p1": "r1",
        "r1": "p1",
        "p2": "r2",
        "r2": "p2",
        "h1": None,
        "x1": None,  # 3 is not 4
        "x2": None,
    }
    # D1: all three pairable entries are paired; D2: the refund is not. The order is unknown.
    columns = ("entry_cnt", "related_id_null_rate", "pair_candidate_rate", "join_payment_orders_rate")
    assert [figures(row, *columns) for row in tables[PAIRING]] == [
        (4, "0.000000", "1.000000", "0.000000"),
        (3, "0.000000", "0.000000", "0.000000"),
    ]


# Operations and analytics


def test_payments_and_the_fact() -> None:
    """3 orders of no merchant, 1 failed; one has no user; lines 10, 2 x 20 are outweighed by 4 x 10 only in a tie."""
    orders = [
        {"order_id": "po_7", "user_id": "u", "amount": 50, "status": "PAID", "created_at": kst(D1, "01:00")},
        {"order_id": "po_8", "user_id": "u", "amount": 50, "status": "CANCELLED", "created_at": kst(D1, "01:00")},
        {"order_id": "po_9", "user_id": " ", "amount": 50, "created_at": kst(D1, "01:00")},
    ]
    items = [
        {"item_id": item, "order_id": order, "product_id": product, "quantity": count, "price_at_purchase": price}
        for item, order, product, count, price in [
            (3, 7, 93, 4, 10),
            (2, 7, 92, 2, 20),
            (1, 7, 91, None, 10),
            (4, 8, 99, 1, 10),  # the largest line's product is unknown
            (5, 8, 91, 1, 5),
        ]
    ]
    products = [{"product_id": number, "category": f"c{number}"} for number in (91, 92, 93)]
    tables = expected(
        [
            batch("payment_orders_raw", *orders),
            batch("order_items_raw", *items, seq=2),
            batch("products_raw", *products, seq=3),
        ],
        RULES,
        ENTRY_TYPES,
        AS_OF,
    )
    failure = tables["gold.ops_payment_failure_daily"]
    assert [figures(row, "merchant_name", "total_cnt", "failed_cnt", "failure_rate") for row in failure] == [
        (None, 3, 1, "0.333333")
    ]
    assert [(row["payment_key"], row["category"]) for row in tables["gold.fact_payment_anonymized"]] == [
        (salted("po_7", "local-salt-v1"), "c92"),
        (salted("po_8", "local-salt-v1"), None),
    ]
    assert [row["dropped_cnt"] for row in tables["gold.fact_payment_dropped_daily"]] == [1]


# Outcomes of the reference scenarios

FIRST = date(2026, 2, 1)
SECOND = date(2026, 2, 2)
EXTRACTED = datetime(2026, 2, 1, tzinfo=UTC)
LOADED = datetime(2026, 2, 3, tzinfo=UTC)


def scenario(name: str, *days: date, extracted_at: datetime | None = EXTRACTED) -> dict[str, list[TableRow]]:
    """Expected tables of a scenario; exceptions of other days are left out."""
    batches = [
        Batch(f"{source}_raw", tuple(lines), extracted_at, LOADED, seq)
        for seq, (source, lines) in enumerate(sorted(scenario_files(name).items()), start=1)
    ]
    tables = expected(batches, RULES, ENTRY_TYPES, LOADED, days)
    assert tables["silver.bad_records"] == []
    return tables | {EXCEPTIONS: [row for row in tables[EXCEPTIONS] if row["date_kst"] in days]}


def test_scenario_one_day_normal() -> None:
    """No exception; one extract at 09:00 KST with entries after it compares nothing."""
    tables = scenario("one_day_normal", FIRST)
    assert recon_of(tables, "user_id", "coverage", "verdict") == [
        ("payer_1", "STALE_SNAPSHOT", "UNRECONCILED"),
        ("saver_1", "FULL", "OK"),
        ("shop_1", "STALE_SNAPSHOT", "UNRECONCILED"),
    ]
    assert tables[SUPPLY][0]["verdict"] == "NO_BASELINE"
    assert tables[EXCEPTIONS] == []


def test_scenario_backfill_two_days() -> None:
    """Day 1 spans 09:00 to 09:00, its end included: 320 + 340 + 300 = 960 moved, the balances did not."""
    tables = scenario("backfill_two_days", FIRST, SECOND, extracted_at=None)
    found = {(row["date_kst"], row["user_id"]): figures(row, "drift_abs", "verdict") for row in tables[RECON]}
    assert found == {
        (FIRST, "payer_1"): ("960.00", "DRIFT"),
        (FIRST, "saver_1"): ("0.00", "OK"),
        (FIRST, "shop_1"): ("960.00", "DRIFT"),
        (SECOND, "payer_1"): (None, "UNRECONCILED"),
        (SECOND, "saver_1"): ("0.00", "OK"),
        (SECOND, "shop_1"): (None, "UNRECONCILED"),
    }
    assert len(tables[EXCEPTIONS]) == 2


def test_scenario_supply_mismatch() -> None:
    """Issued 4000 - 250; wallets 500 - 320 and 400 + 320, as the entries at 09:00 are in the snapshot."""
    tables = scenario("supply_mismatch", FIRST)
    row = tables[SUPPLY][0]
    assert figures(row, "issued_supply", "wallet_total_balance", "verdict") == ("3750.00", "900.00", "MISMATCH")
    assert figures(row, "stale_wallet_count", "max_snapshot_age_sec") == (2, 54000)
    assert [figures(exception, "exception_type", "severity", "metric_value") for exception in tables[EXCEPTIONS]] == [
        ("SUPPLY_MISMATCH", "CRITICAL", "2850.000000")
    ]
    assert ("issuer_1", "NO_SNAPSHOT") in recon_of(tables, "user_id", "coverage")


def test_scenario_pairing_quality() -> None:
    """8 entries, 1 without order; 1 of 3 groups is fully paired, 2 of 3 are payment orders."""
    tables = scenario("pairing_quality", FIRST)
    assert figures(
        tables[PAIRING][0], "entry_cnt", "related_id_null_rate", "pair_candidate_rate", "join_payment_orders_rate"
    ) == (8, "0.125000", "0.333333", "0.666667")
    assert {row["tx_id"]: row["paired_tx_id"] for row in tables[ADMIN] if row["paired_tx_id"]} == {
        "out_po_pair_1": "in_po_pair_1",
        "in_po_pair_1": "out_po_pair_1",
        "many_1": "many_2",
        "many_2": "many_1",
    }


def test_scenario_stale_source() -> None:
    """From 2026-01-25 09:00 KST to the end of the day: 7 d 15 h = 658800 s."""
    tables = scenario("stale_source", FIRST)
    status = next(
        row for row in tables["silver.dq_status"] if (row["date_kst"], row["source_table"]) == (FIRST, LEDGER)
    )
    assert figures(status, "freshness_sec", "dq_tag", "severity") == (658800, "SOURCE_STALE", "CRITICAL")
    assert tables[SUPPLY][0]["verdict"] == "SUPPRESSED"


def test_scenario_gating_effect() -> None:
    """The ledger was never seen, the wallets last on 2026-01-25; SOURCE_STALE wins as tag."""
    tables = scenario("gating_effect", FIRST, extracted_at=None)
    tags = {row["source_table"]: row["dq_tag"] for row in tables["silver.dq_status"] if row["date_kst"] == FIRST}
    assert (tags[LEDGER], tags[WALLETS]) == ("EVENT_DROP_SUSPECTED", "SOURCE_STALE")
    assert figures(tables[SUPPLY][0], "dq_tag", "verdict") == ("SOURCE_STALE", "SUPPRESSED")
