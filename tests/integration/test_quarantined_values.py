"""Values that real sources send and nobody means: each kind with its neighbours, from the file to Silver and Gold.

The rules are the project's own; only the bad-rate gate is open, so that the good rows of a load show as well. One lake
takes the lines of all kinds, which are told apart by their ids.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.lakes import Lake
from tests.property.rulebooks import rulebook

if TYPE_CHECKING:
    from pathlib import Path

    from dbt.contracts.graph.manifest import Manifest

Fields = dict[str, Any]

NOW = datetime(2026, 3, 10, tzinfo=UTC)
DAY = date(2026, 3, 2)
AT = "2026-03-02T03:00:00Z"
OVER = "2026-03-02T15:30:00Z"
"""Half an hour after the day."""

UNREADABLE_TIMES = (
    1_772_420_400_000,
    1_772_420_400,
    "1772420400",
    "soon",
    "0000-00-00 00:00:00",
    "2026-02-30",
    "02.03.2026",
    "20260302",
    "2026-W10-1",
    {"seconds": 1_772_420_400},
    ["2026-03-02"],
    True,
)
IMPLAUSIBLE_TIMES = (
    "1970-01-01T00:00:00Z",
    "1970-01-01T09:00:00+09:00",
    "1969-12-31T23:59:59.999Z",
    "0001-01-01T00:00:00Z",
    "1601-01-01",
    "1899-12-30",
    "1989-12-31T23:59:59Z",
    "2026-03-11T00:00:01Z",
    "2062-03-02T03:00:00Z",
    "9999-12-31T23:59:59Z",
    "9999-12-31",
)
DELETED = (True, 1, 1.0, "1", "true", "TRUE", " true ")
NOT_DELETED = (False, 0, "0", "false", None, "", -0.0)
PERHAPS_DELETED = ("yes", "Y", "t", 2, "2", "deleted", {"by": "admin"}, [True], "null")
BLANKS = "\u00a0\u2003\u3000\u200b\u200d\u2060\ufeff\u00ad\u200e\u202c\u2066\u3164\u1680\u2028\t\r\n\f\v \u0085\ufe0f"
BLANKS += "\0\x01\x1c\x1f\x7f\x80\x9f\u17b4\u180b\u180f\u2800\ufff0"  # databases pad fields of a fixed length with NUL
NUMBERS_AS_TEXT = ("1001.0", "1.10", "1.1", "007", "7.00", "1e3")
FOREIGN, HOME = ("USD", "JPY", "usd", "₩", "KRWX", 410, "$"), ("KRW", "krw", " KRW ", None, "")
LINKS = {"po_0001001": 1001, "po_1002": 1002, "0001003": 1003, "1004": 1004, "A-0000000000000000001005": 1005}


def entry(tx_id: Any, **fields: Any) -> Fields:
    return {"tx_id": tx_id, "wallet_id": "w1", "type": "CHARGE", "amount": "10.00", "created_at": AT} | fields


def order(order_id: Any, **fields: Any) -> Fields:
    usual = {"user_id": "w1", "merchant_name": "cafe", "amount": "10.00", "status": "PAID", "created_at": AT}
    return {"order_id": order_id} | usual | fields


def wallet(user_id: Any, **fields: Any) -> Fields:
    return {"user_id": user_id, "balance": "10.00", "frozen_amount": "0", "source_extracted_at": OVER} | fields


def product(product_id: int, category: str, **fields: Any) -> Fields:
    return {"product_id": product_id, "product_name": "p", "price_krw": "10", "category": category} | fields


def numbered(make: Any, prefix: str, values: tuple[Any, ...], key: str, **fields: Any) -> list[Fields]:
    """A line for each value of a key; their ids are the prefix and a number."""
    return [make(f"{prefix}{n}", **fields | {key: value}) for n, value in enumerate(values)]


def entries() -> list[Fields]:
    lines = [entry("good"), entry("edge", created_at="2026-03-11T00:00:00Z")]
    for prefix, key in (("past_c", "created_at"), ("past_u", "updated_at"), ("past_x", "source_extracted_at")):
        lines += numbered(entry, prefix, IMPLAUSIBLE_TIMES, key)
    lines += numbered(entry, "past_o", IMPLAUSIBLE_TIMES, "created_at", event_time=AT)
    required: list[Fields] = [
        {"wallet_id": ["w1"]},
        {"type": {"name": "CHARGE"}},
        {"amount": "10,00"},
        {"amount": True},
    ]
    required += [{"amount": {"krw": 10}}, {"related_id": {"id": "po_1"}}, {"created_at": None, "event_time": AT[:4]}]
    required += [{"event_time": "now"}, {"source_system": {}}, {"event_time": AT, "created_at": 1_772_420_400}]
    lines += [entry({"id": "req_"}), *(entry(f"req_{n}", **fields) for n, fields in enumerate(required))]
    lines += [entry(tx_id, wallet_id=7.0, related_id=55.0) for tx_id in (1001, 1001.0, "1001", " 1001\u00a0")]
    lines += [entry(text, wallet_id="texts") for text in NUMBERS_AS_TEXT]
    for n, blank in enumerate(BLANKS):
        lines.append(entry(f"{blank}blank_{n}{blank}", wallet_id=f"wb{blank}", type=f"{blank}CHARGE", related_id=blank))
    lines.append(entry(f"{BLANKS}blank_all{BLANKS}", wallet_id=f"{BLANKS}wb{BLANKS}", related_id=BLANKS))
    lines += [entry("\u200b\u00a0", wallet_id="only_blanks"), entry("only_blanks", wallet_id="\u3000")]
    lines += numbered(entry, "foreign_", FOREIGN, "currency") + numbered(entry, "home_", HOME, "currency")
    lines += [entry("own_1", event_time=AT, created_at="2026-03-04T01:00:00Z"), entry("own_2")]
    lines.append({key: value for key, value in entry("own_3", event_time=AT).items() if key != "created_at"})
    return lines


def orders() -> list[Fields]:
    # the last of these lines would be the order, were its times absent
    lines = [order("unread_0"), order(55, user_id=7), *(order(link) for link in LINKS)]
    for key in ("updated_at", "source_extracted_at", "ingested_at"):
        lines += [order("unread_0", status="PENDING", **{key: value}) for value in UNREADABLE_TIMES]
    others: tuple[Fields, ...] = (
        {"status": {"code": "FAILED"}},
        {"status": ["FAILED"]},
        {"user_id": {"id": 1}},
        {"merchant_name": []},
    )
    lines += [order("unread_0", **fields) for fields in others]
    return [*lines, order("money_1", currency="EUR"), order("money_2", currency={"code": "KRW"})]


def wallets() -> list[Fields]:
    lines = [wallet(7), wallet("\u2003wb"), wallet("money_", currency="USD"), wallet("money_", currency="KRW")]
    lines += numbered(wallet, "deleted_", DELETED, "is_deleted") + numbered(wallet, "kept_", NOT_DELETED, "is_deleted")
    lines += numbered(wallet, "perhaps_", PERHAPS_DELETED, "is_deleted")
    return lines + numbered(wallet, "dated_", UNREADABLE_TIMES + IMPLAUSIBLE_TIMES, "source_extracted_at")


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Lake:
    """A lake that has taken everything in."""
    work = tmp_path_factory.mktemp("quarantine")
    lake = Lake(work=work, manifest=manifest, now=NOW, checks=False, seeds={"rules": rulebook()})
    items = [
        {"item_id": number, "order_id": number, "product_id": 5, "quantity": 1, "price_at_purchase": "10.00"}
        for number in LINKS.values()
    ]
    pinned = [product(1, "PINNED", source_extracted_at=value) for value in IMPLAUSIBLE_TIMES]
    lake.load({"products": [product(1, "PINNED")]}, extracted_at=datetime(2062, 1, 1, tzinfo=UTC))
    raw = '{"tx_id": 1.001e3, "wallet_id": 7, "type": "CHARGE", "amount": 10, "related_id": 5.50e1, "created_at": "%s"}'
    lake.load({"transaction_ledger": [*entries(), raw % AT], "payment_orders": orders(), "user_wallets": wallets()})
    lake.load({"products": [*pinned, product(1, "TEA", source_extracted_at=OVER), product(5, "COFFEE")]})
    foreign = {"order_id": 1, "total_amount": 5, "status": "PAID", "created_at": AT, "currency": "USD"}
    lake.load({"order_items": items, "orders": [foreign]})
    assert lake.run().problems == ()
    return lake


def bad(lake: Lake, table: str, text: str) -> list[str]:
    """Reasons of the quarantined lines of a table that hold a text."""
    query = "select reason from silver.bad_records where source_table = ? and contains(record_json, ?) order by all"
    return [reason for (reason,) in lake.sql(query, [f"silver.{table}", text])]


def test_unreadable_values_of_optional_columns_are_never_absent(settled: Lake) -> None:
    """Were its update time in milliseconds absent, a later PENDING of the same creation would replace PAID."""
    assert settled.sql("select status from silver.order_events where order_ref = 'unread_0'") == [("PAID",)]
    names = ["updated_at", "source_extracted_at", "ingested_at"] * len(UNREADABLE_TIMES)
    names += ["status", "status", "user_id", "merchant_name"]
    assert bad(settled, "order_events", "unread_") == sorted(f"invalid_{name}" for name in names)


def test_unreadable_flags_are_never_false(settled: Lake) -> None:
    """A wallet that may be deleted does not count with its old balance."""
    found = settled.sql(
        "select split_part(user_id, '_', 1), balance_total, count(*) from silver.wallet_snapshot"
        " where regexp_matches(user_id, '^(deleted|kept|perhaps)_') group by all order by all"
    )
    assert found == [("deleted", Decimal("0.00"), len(DELETED)), ("kept", Decimal("10.00"), len(NOT_DELETED))]
    assert bad(settled, "wallet_snapshot", "perhaps_") == ["invalid_is_deleted"] * len(PERHAPS_DELETED)


def test_unreadable_values_in_required_columns_name_the_column(settled: Lake) -> None:
    names = ["tx_id", "wallet_id", "entry_type", "amount", "amount", "amount", "related_id", "event_time", "event_time"]
    names += ["source_system", "created_at"]
    assert bad(settled, "ledger_entries", "req_") == sorted(f"invalid_{name}" for name in names)


def test_implausible_instants_are_quarantined_and_open_no_days(settled: Lake) -> None:
    """One entry at epoch zero made twenty thousand days with a CRITICAL each."""
    assert bad(settled, "ledger_entries", "past_") == ["implausible_time"] * 4 * len(IMPLAUSIBLE_TIMES)
    kept = "select tx_id from silver.ledger_entries where tx_id in ('good', 'edge') order by all"
    assert settled.sql(kept) == [("edge",), ("good",)]
    assert settled.sql("select min(date_kst) from silver.dq_status") == [(DAY,)]
    assert settled.sql("select min(date_kst) from gold.pipeline_day") == [(DAY,)]


def test_an_implausible_extraction_pins_no_row(settled: Lake) -> None:
    """An extraction of 2062 would win over every later version for ever; that of the load counts likewise."""
    assert settled.sql("select category from silver.products where product_id = 1") == [("TEA",)]
    assert bad(settled, "products", "PINNED") == ["implausible_time"] * (len(IMPLAUSIBLE_TIMES) + 1)


def test_snapshots_are_dated_by_their_source_or_not_at_all(settled: Lake) -> None:
    """Not to the clock of the load, where the source names a time that cannot be read or meant."""
    assert settled.sql("select distinct snapshot_date_kst from silver.wallet_snapshot") == [(date(2026, 3, 3),)]
    reasons = ["implausible_time"] * len(IMPLAUSIBLE_TIMES)
    reasons += ["invalid_source_extracted_at"] * len(UNREADABLE_TIMES)
    assert bad(settled, "wallet_snapshot", "dated_") == reasons


def test_one_json_number_is_one_id(settled: Lake) -> None:
    found = settled.sql("select tx_id, wallet_id, related_id, status from silver.ledger_entries where wallet_id = '7'")
    assert found == [("1001", "7", "55", "PAID")]
    wallets_named = "select distinct user_id from gold.wallet_balance_daily where contains(user_id, '7')"
    assert settled.sql(wallets_named) == [("7",)]


def test_texts_that_look_like_numbers_stay_apart(settled: Lake) -> None:
    """Text is the source's own spelling: 1.10 and 1.1 may be two ids."""
    found = settled.sql("select tx_id from silver.ledger_entries where wallet_id = 'texts' order by all")
    assert found == [(text,) for text in sorted(NUMBERS_AS_TEXT)]


def test_blanks_of_unicode_around_ids_make_no_other_id(settled: Lake) -> None:
    found = settled.sql("select tx_id, related_id from silver.ledger_entries where wallet_id = 'wb'")
    assert sorted(found) == sorted((f"blank_{n}", None) for n in [*range(len(BLANKS)), "all"])
    assert settled.sql(
        "select count(distinct user_id) from gold.recon_daily_snapshot_flow where contains(user_id, 'wb')"
    ) == [(1,)]


def test_an_id_of_blanks_only_is_missing(settled: Lake) -> None:
    assert bad(settled, "ledger_entries", "only_blanks") == ["missing_tx_or_wallet"] * 2


def test_the_order_link_compares_numbers(settled: Lake) -> None:
    found = settled.sql(
        "select category, count(*) from gold.fact_payment_anonymized where category is not null group by 1"
    )
    assert found == [("COFFEE", len(LINKS))]


def test_other_currencies_are_never_added_up(settled: Lake) -> None:
    assert settled.sql("select count(*) from silver.ledger_entries where tx_id like 'home_%'") == [(len(HOME),)]
    assert settled.sql("select count(*) from silver.ledger_entries where tx_id like 'foreign_%'") == [(0,)]
    assert settled.sql("select count(*) from silver.wallet_snapshot where user_id = 'money_'") == [(1,)]
    assert bad(settled, "ledger_entries", "foreign_") == ["unsupported_currency"] * len(FOREIGN)
    assert bad(settled, "wallet_snapshot", "money_") == ["unsupported_currency"]
    assert bad(settled, "order_events", "money_") == ["invalid_currency", "unsupported_currency"]
    assert bad(settled, "order_events", "total_amount") == ["unsupported_currency"]


def test_a_ledger_entry_keeps_its_own_created_at(settled: Lake) -> None:
    own = "select tx_id, event_date_kst, created_at from silver.ledger_entries where tx_id like 'own_%' order by tx_id"
    assert settled.sql(own) == [
        ("own_1", DAY, datetime(2026, 3, 4, 1)),
        ("own_2", DAY, datetime(2026, 3, 2, 3)),
        ("own_3", DAY, datetime(2026, 3, 2, 3)),
    ]


@pytest.fixture
def lake(tmp_path: Path, manifest: Manifest) -> Lake:
    return Lake(work=tmp_path, manifest=manifest, now=NOW, checks=False, seeds={"rules": rulebook()})


def test_rules_name_overdrafts_and_currencies_from_a_day_on(lake: Lake) -> None:
    """A version of a rule holds for the days of the lines, and lets those in that were put aside before."""
    debt: Fields = {"balance": "-500.00"}
    lines = [wallet("w1", **debt), wallet("w12", **debt), wallet("w1", **debt, source_extracted_at="2026-03-05T00:00Z")]
    dollars = [entry("t1", currency="USD"), entry("t2", currency="USD", created_at="2026-03-04T03:00:00Z")]
    lake.load({"user_wallets": lines, "transaction_ledger": dollars})
    lake.run(pipelines=["silver"])
    assert lake.sql("select count(*) from silver.bad_records") == [(5,)]
    lake.seeds["rules"] = rulebook("an overdraft, and dollars from day 2")
    lake.run(pipelines=["silver"])
    assert lake.sql("select user_id, balance_total from silver.wallet_snapshot") == [("w1", Decimal("-500.00"))] * 2
    assert lake.sql("select tx_id from silver.ledger_entries") == [("t2",)]


@pytest.mark.parametrize("with_load", [True, False])
def test_tables_that_exist_gain_the_new_columns(lake: Lake, with_load: bool) -> None:
    lake.load({"transaction_ledger": [entry("t1")]})
    with duckdb.connect(str(lake.warehouse)) as connection:
        for column in ("unreadable_columns", "implausible_columns", "currency", "entry_created_at"):
            connection.execute(f"alter table bronze.transaction_ledger_raw drop column {column}")
    if with_load:
        lake.load({"transaction_ledger": [entry("t2", updated_at="soon")]})
    assert lake.run(pipelines=["silver"]).problems == ()
    assert lake.sql("select tx_id from silver.ledger_entries") == [("t1",)]
    assert bad(lake, "ledger_entries", "") == ["invalid_updated_at"] * with_load


def test_the_day_before_the_calendar_of_rules_has_no_rows(lake: Lake) -> None:
    """The KST day 1970-01-01 began nine hours before the first rule."""
    lake.seeds["rules"] = rulebook().replace("1990-01-01", "1970-01-01")
    lines = [entry(f"t{hour}", created_at=f"1970-01-01T{hour:02}:00:00Z") for hour in (0, 14, 15)]
    lake.load({"transaction_ledger": [*lines, entry("t69", created_at="1969-06-01")]})
    lake.run(pipelines=["silver"])
    assert lake.sql("select tx_id, event_date_kst from silver.ledger_entries") == [("t15", date(1970, 1, 2))]
    assert bad(lake, "ledger_entries", "") == ["implausible_time"] * 3
