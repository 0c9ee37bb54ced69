"""The dbt project as its manifest tells it: described throughout, contracts as promised, layers kept apart."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.dbt_runs import parse_project

Node = dict[str, Any]

META = "ingested_at timestamp, source_extracted_at timestamp, batch_id string, source_system string"

# Physical names, columns and types that every reader relies on; `!` marks a column that is never NULL.
BRONZE = {
    "user_wallets_raw": "user_id string, balance decimal(18,2), frozen_amount decimal(18,2), updated_at timestamp",
    "transaction_ledger_raw": (
        "tx_id string, wallet_id string, type string, amount decimal(18,2), related_id string, created_at timestamp"
    ),
    "payment_orders_raw": (
        "order_id string, user_id string, merchant_name string, amount decimal(18,2), status string, "
        "created_at timestamp"
    ),
    "orders_raw": ("order_id bigint, user_id string, total_amount decimal(18,2), status string, created_at timestamp"),
    "order_items_raw": (
        "item_id bigint, order_id bigint, product_id bigint, quantity int, price_at_purchase decimal(18,2)"
    ),
    "products_raw": (
        "product_id bigint, product_name string, price_krw decimal(18,2), stock_quantity int, category string, "
        "is_display boolean"
    ),
}
TABLES = {
    "silver.wallet_snapshot": (
        "snapshot_ts timestamp!, snapshot_date_kst date!, user_id string!, balance_available decimal(38,2)!, "
        "balance_frozen decimal(38,2)!, balance_total decimal(38,2)!, source_updated_at timestamp, run_id string!, "
        "rule_id string"
    ),
    "silver.ledger_entries": (
        "tx_id string!, wallet_id string!, event_time timestamp!, event_date_kst date!, entry_type string!, "
        "amount decimal(38,2)!, amount_signed decimal(38,2)!, related_id string, related_type string, status string, "
        "created_at timestamp, run_id string!, rule_id string"
    ),
    "silver.order_events": (
        "order_ref string!, order_source string!, user_id string, merchant_name string, amount decimal(38,2), "
        "status string, event_time timestamp, event_date_kst date, run_id string!"
    ),
    "silver.order_items": (
        "item_id bigint!, order_id bigint!, order_ref string!, product_id bigint!, quantity int, "
        "price_at_purchase decimal(38,2), run_id string!"
    ),
    "silver.products": (
        "product_id bigint!, product_name string, category string, price_krw decimal(38,2), is_display boolean, "
        "run_id string!"
    ),
    "silver.bad_records": (
        "detected_date_kst date!, source_table string!, reason string!, record_json string!, run_id string!, "
        "rule_id string, detected_at timestamp!"
    ),
    "silver.dq_status": (
        "source_table string!, window_start_ts timestamp!, window_end_ts timestamp!, date_kst date!, "
        "freshness_sec bigint, event_count bigint!, dup_rate decimal(38,6), bad_records_rate decimal(38,6), "
        "dq_tag string, severity string, run_id string!, rule_id string, generated_at timestamp!"
    ),
    "gold.recon_daily_snapshot_flow": (
        "date_kst date!, user_id string!, delta_balance_total decimal(38,2), net_flow_total decimal(38,2), "
        "drift_abs decimal(38,2), drift_pct decimal(38,6), dq_tag string, run_id string!, rule_id string"
    ),
    "gold.ledger_supply_balance_daily": (
        "date_kst date!, issued_supply decimal(38,2)!, wallet_total_balance decimal(38,2)!, "
        "diff_amount decimal(38,2)!, is_ok boolean!, run_id string!, rule_id string"
    ),
    "gold.fact_payment_anonymized": (
        "date_kst date!, user_key string!, merchant_name string, amount decimal(38,2), status string, "
        "category string, run_id string!"
    ),
    "gold.admin_tx_search": (
        "event_date_kst date!, tx_id string!, wallet_id string!, entry_type string!, amount decimal(38,2)!, "
        "amount_signed decimal(38,2), event_time timestamp!, related_id string, related_type string, "
        "merchant_name string, payment_status string, paired_tx_id string, run_id string!, rule_id string"
    ),
    "gold.ops_payment_failure_daily": (
        "date_kst date!, merchant_name string, total_cnt bigint!, failed_cnt bigint!, failure_rate decimal(38,6)!, "
        "run_id string!, rule_id string"
    ),
    "gold.ops_payment_refund_daily": (
        "date_kst date!, merchant_name string, total_cnt bigint!, refunded_cnt bigint!, refund_rate decimal(38,6)!, "
        "run_id string!, rule_id string"
    ),
    "gold.ops_ledger_pairing_quality_daily": (
        "date_kst date!, entry_cnt bigint!, related_id_null_rate decimal(38,6)!, pair_candidate_rate decimal(38,6)!, "
        "join_payment_orders_rate decimal(38,6)!, run_id string!, rule_id string"
    ),
    "gold.exception_ledger": (
        "date_kst date!, domain string!, exception_type string!, severity string!, source_table string, "
        "window_start_ts timestamp, window_end_ts timestamp, metric string, metric_value decimal(38,6), "
        "message string, run_id string!, rule_id string, generated_at timestamp!"
    ),
    "gold.pipeline_state": (
        "pipeline_name string!, status string!, last_success_ts timestamp, last_processed_end timestamp, "
        "last_run_id string, dq_zero_window_counts string, updated_at timestamp!"
    ),
    "gold.dim_rule_scd2": (
        "rule_id string!, domain string!, metric string!, threshold double, severity_map map<string,double>, "
        "allowed_values array<string>, comment string, effective_start_ts timestamp!, effective_end_ts timestamp!, "
        "is_current boolean!"
    ),
}

# What identifies a row; each is the merge key of its model or, without one, the key that its test watches.
KEYS = {
    "silver.wallet_snapshot": ["snapshot_ts", "user_id"],
    "silver.ledger_entries": ["tx_id", "wallet_id"],
    "silver.order_events": ["order_ref", "order_source"],
    "silver.order_items": ["item_id"],
    "silver.products": ["product_id"],
    "silver.bad_records": ["record_id"],
    "silver.dq_status": ["status_id"],
    "gold.recon_daily_snapshot_flow": ["date_kst", "user_id"],
    "gold.wallet_balance_daily": ["date_kst", "user_id"],
    "gold.ledger_supply_balance_daily": ["date_kst"],
    "gold.admin_tx_search": ["event_date_kst", "tx_id", "wallet_id"],
    "gold.ops_payment_failure_daily": ["date_kst", "merchant_name"],
    "gold.ops_payment_refund_daily": ["date_kst", "merchant_name"],
    "gold.ops_ledger_pairing_quality_daily": ["date_kst"],
    "gold.fact_payment_dropped_daily": ["date_kst", "reason"],
    "gold.fact_market_price": ["date_kst", "symbol"],
}

# A run's own clock and chance make a model's result depend on when it runs.
FORBIDDEN = re.compile(
    r"target\.type|current_timestamp|current_date|\bnow\(|\brandom\b|\brand\(|\buuid\(", re.IGNORECASE
)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """Parse the project with every optional model on."""
    return parse_project(tmp_path_factory.mktemp("parse"), ["--vars", "{market_price: true}"])


@pytest.fixture(scope="module")
def models(manifest: Node) -> dict[str, Node]:
    """Models of the project by schema and table name."""
    return {
        f"{node['schema']}.{node['alias']}": node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["package_name"] == "plura"
    }


def columns_of(text: str) -> dict[str, tuple[str, bool]]:
    """Read `name type!, …` into name → (type, never NULL)."""
    listed = (part.split(" ") for part in re.split(r", (?=[a-z_]+ )", text))
    return {name: (kind.rstrip("!"), kind.endswith("!")) for name, kind in listed}


def never_null(column: Node) -> bool:
    return any(constraint["type"] == "not_null" for constraint in column["constraints"])


def undescribed(nodes: list[Node]) -> list[str]:
    """Names of resources and columns without a description, and of resources without any column."""
    missing = [node["unique_id"] for node in nodes if not node["description"].strip()]
    for node in nodes:
        missing += [f"{node['unique_id']}: no columns"] if not node["columns"] else []
        missing += [f"{node['unique_id']}.{c}" for c, column in node["columns"].items() if not column["description"]]
    return missing


def test_every_model_seed_snapshot_source_and_column_is_described(manifest: Node) -> None:
    kinds = {"model", "seed", "snapshot"}
    nodes = [n for n in manifest["nodes"].values() if n["resource_type"] in kinds and n["package_name"] == "plura"]
    assert undescribed([*nodes, *manifest["sources"].values()]) == []


def test_every_description_of_rows_names_the_grain_first(manifest: Node) -> None:
    nodes = [n for n in manifest["nodes"].values() if n["resource_type"] in {"model", "seed", "snapshot"}]
    vague = [
        n["unique_id"] for n in [*nodes, *manifest["sources"].values()] if not n["description"].startswith("One row")
    ]
    assert vague == []


def test_every_macro_and_exposure_is_described(manifest: Node) -> None:
    macros = [m for m in manifest["macros"].values() if m["package_name"] == "plura"]
    # implementations for one engine share the promise of the macro that dispatches to them; dbt's own hooks keep theirs
    own = [m for m in macros if "__" not in m["name"] and not m["name"].startswith("test_")]
    assert own
    assert [m["name"] for m in [*own, *manifest["exposures"].values()] if not m["description"]] == []


def test_contract_tables_have_an_enforced_contract_with_a_type_per_column(models: dict[str, Node]) -> None:
    assert [name for name in TABLES if name not in models] == []
    for name in [*TABLES, *KEYS]:
        node = models[name]
        assert node["config"]["contract"]["enforced"], name
        assert [c for c, column in node["columns"].items() if not column["data_type"]] == [], name


@pytest.mark.parametrize("name", TABLES)
def test_columns_of_silver_and_gold_have_the_promised_names_and_types(name: str, models: dict[str, Node]) -> None:
    actual = models[name]["columns"]
    expected = columns_of(TABLES[name])
    assert {c: (actual[c]["data_type"], never_null(actual[c])) for c in expected if c in actual} == expected


@pytest.mark.parametrize("name", BRONZE)
def test_columns_of_bronze_have_the_promised_names_and_types(name: str, manifest: Node) -> None:
    actual = manifest["sources"][f"source.plura.bronze.{name}"]["columns"]
    expected = {c: kind for c, (kind, _) in columns_of(f"{BRONZE[name]}, {META}").items()}
    assert {c: actual[c]["data_type"] for c in expected if c in actual} == expected


@pytest.mark.parametrize("name", KEYS)
def test_merge_keys_are_the_promised_ones_and_watched_by_a_test(
    name: str, models: dict[str, Node], manifest: Node
) -> None:
    node = models[name]
    assert node["config"]["unique_key"] == KEYS[name]
    watched = [
        test["test_metadata"]["kwargs"].get("columns")
        for test in manifest["nodes"].values()
        if test["resource_type"] == "test"
        and test.get("attached_node") == node["unique_id"]
        and test["test_metadata"]["name"] == "no_duplicate_key"
    ]
    assert KEYS[name] in watched


def test_only_bronze_reads_the_raw_tables(models: dict[str, Node]) -> None:
    outside = {
        f"{name} reads {source}"
        for name, node in models.items()
        for source in node["depends_on"]["nodes"]
        if source.startswith("source.")
        and "/bronze/" not in node["original_file_path"]
        # which batches are withdrawn concerns every layer that reads by arrival
        and source != "source.plura.bronze.load_registry"
    }
    assert outside == set()


def test_controls_and_analytics_do_not_read_each_other(models: dict[str, Node]) -> None:
    folder = {node["unique_id"]: node["original_file_path"].split("/")[1] for node in models.values()}
    crossing = {
        f"{node['unique_id']} reads {parent}"
        for node in models.values()
        for parent in node["depends_on"]["nodes"]
        if {folder[node["unique_id"]], folder.get(parent)} == {"controls", "analytics"}
    }
    assert crossing == set()


def test_no_model_asks_for_the_engine_the_time_or_chance(models: dict[str, Node]) -> None:
    assert {
        name: FORBIDDEN.findall(node["raw_code"]) for name, node in models.items() if FORBIDDEN.search(node["raw_code"])
    } == {}


def test_what_readers_use_is_public_and_steps_are_not(models: dict[str, Node]) -> None:
    access = {name: node["access"] for name, node in models.items()}
    contracts = {name for name, node in models.items() if node["config"]["contract"]["enforced"]}
    gold = {name for name in contracts if name.startswith("gold.")}
    # fingerprints of salts are nobody's to read
    assert {name for name in gold if access[name] != "public"} == {"gold.pseudonym_salt_version"}
    assert {name for name in set(models) - contracts if access[name] == "public"} == set()


COMPLETIONS = {
    "pipeline_a": "int_guardrail_completed_days",
    "pipeline_silver": "int_silver_completed_run",
    "pipeline_b": "int_controls_completed_days",
    "pipeline_c": "int_analytics_completed_days",
}


def ancestors(node: Node, nodes: dict[str, Node]) -> set[str]:
    """Ids of everything that a node builds on."""
    found: set[str] = set()
    ahead = list(node["depends_on"]["nodes"])
    while ahead:
        parent = ahead.pop()
        if parent not in found:
            found.add(parent)
            ahead += nodes[parent]["depends_on"].get("nodes", []) if parent in nodes else []
    return found


@pytest.mark.parametrize("pipeline", COMPLETIONS)
def test_every_table_of_a_pipeline_is_an_ancestor_of_its_completion(pipeline: str, manifest: Node) -> None:
    """A day is recorded as done by the completion: a table that it does not await can miss a day for ever."""
    nodes = manifest["nodes"]
    awaited = ancestors(nodes[f"model.plura.{COMPLETIONS[pipeline]}"], nodes)
    tables = {
        unique_id
        for unique_id, node in nodes.items()
        if node["resource_type"] == "model"
        and pipeline in node["tags"]
        and (node["access"] == "public" or node["config"]["contract"]["enforced"])
    }
    assert tables
    assert tables - awaited == set()


def test_nothing_that_keeps_history_is_dropped_by_a_full_refresh(models: dict[str, Node]) -> None:
    incremental = {name for name, node in models.items() if node["config"]["materialized"] == "incremental"}
    assert "gold.exception_ledger" in incremental
    assert {name for name in incremental if models[name]["config"]["full_refresh"] is not False} == set()
