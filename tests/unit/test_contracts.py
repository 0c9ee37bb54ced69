"""The contract of Bronze is what the dbt sources say; JSON schemas and expectation suites follow it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from python_jobs.contracts import SOURCES, Column, Table, json_schema, read_contracts
from python_jobs.rules.seed_file import RULES_FILE as RULES
from python_jobs.validate import expectations
from python_jobs.warehouse import LakeError
from tests.dbt_runs import PROJECT
from tests.oracle import bronze as oracle
from tests.outside import reference_files, reference_scenarios
from tests.scenario_inputs import SCENARIOS, scenario_files

TABLES = read_contracts(PROJECT)
SOURCE_TABLES = [table for table in TABLES.values() if table.source]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what the contract is read from."""
    for name in (SOURCES, RULES):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes((PROJECT / name).read_bytes())
    return tmp_path


def change(project: Path, table: str, column: str, **changes: Any) -> Table:
    """The contract of a table after its YAML was changed."""
    document = yaml.safe_load((project / SOURCES).read_text(encoding="utf-8"))
    entry = next(source_table for source_table in document["sources"][0]["tables"] if source_table["name"] == table)
    entry_column = next(source_column for source_column in entry["columns"] if source_column["name"] == column)
    meta = entry_column.get("meta", {}) | changes.pop("meta", {})
    entry_column.update(changes, meta={key: value for key, value in meta.items() if value is not None})
    (project / SOURCES).write_text(yaml.safe_dump(document), encoding="utf-8")
    return read_contracts(project)[table]


def suite(table: Table) -> set[str]:
    """Type and arguments of every expectation."""
    return {
        f"{expectation.expectation_type} {json.dumps(expectation.configuration.kwargs, sort_keys=True)}"
        for expectation in expectations(table)
    }


def column(table: Table, name: str) -> Column:
    return next(candidate for candidate in table.columns if candidate.name == name)


def test_the_contract_names_the_columns_and_spellings_that_the_oracle_knows() -> None:
    kinds = {"decimal(18,2)": "decimal"}
    contract = {
        table.name: {column.name: kinds.get(column.data_type, column.data_type) for column in table.value_columns}
        for table in SOURCE_TABLES
    }
    assert contract == oracle.COLUMNS
    spelled = {
        (table.name, column.name): column.spellings
        for table in SOURCE_TABLES
        for column in table.value_columns
        if column.spellings != (column.name,)
    }
    assert spelled == oracle.SPELLINGS


def test_required_keys_are_those_of_the_reference_and_the_load_stamps_the_same_columns_everywhere() -> None:
    required = {
        table.source: [column.name for column in table.value_columns if column.required] for table in SOURCE_TABLES
    }
    assert required == {
        "user_wallets": ["user_id", "balance", "frozen_amount"],
        "transaction_ledger": ["tx_id", "wallet_id", "type", "amount"],
        "payment_orders": ["order_id", "amount"],
        "orders": ["order_id"],
        "order_items": ["item_id", "order_id", "product_id"],
        "products": ["product_id"],
    }
    stamped = {tuple(column.name for column in table.columns if column.is_stamped) for table in SOURCE_TABLES}
    assert stamped == {
        (
            "ingested_at",
            "source_extracted_at",
            "batch_id",
            "source_system",
            "unreadable_columns",
            "implausible_columns",
            "raw_json",
            "line_number",
            "ingest_seq",
        )
    }


def test_allowed_values_are_those_of_the_rule() -> None:
    allowed = column(TABLES["transaction_ledger_raw"], "type").allowed_values
    assert set(allowed) >= {"CHARGE", "PAYMENT", "MINT", "HOLD"}
    assert column(TABLES["payment_orders_raw"], "status").allowed_values == (
        "PAID",
        "PENDING",
        "FAILED",
        "CANCELLED",
        "REFUNDED",
    )


def schema_errors(files: dict[str, list[str]]) -> list[str]:
    """What the JSON Schema of each source says about its lines."""
    errors = []
    for source, lines in files.items():
        table = next(candidate for candidate in SOURCE_TABLES if candidate.source == source)
        validator = jsonschema.Draft202012Validator(json_schema(table))
        records = [json.loads(line) for line in lines if line.strip()]
        errors += [error.message for record in records for error in validator.iter_errors(record)]
    return errors


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_json_schema_accepts_the_lines_of_the_scenarios(name: str) -> None:
    assert schema_errors(scenario_files(name)) == []


@pytest.mark.parametrize("name", reference_scenarios() or ["none"])
def test_the_json_schema_accepts_the_lines_of_the_reference_s_files(name: str) -> None:
    assert schema_errors(reference_files(name)) == []


@pytest.mark.parametrize("table", SOURCE_TABLES, ids=lambda table: table.name)
def test_the_json_schema_is_valid_and_refuses_lines_without_a_required_key(table: Table) -> None:
    schema = json_schema(table)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    required = [column for column in table.value_columns if column.required]
    whole: dict[str, object] = {column.spellings[0]: "1" for column in required}
    assert validator.is_valid(whole | {"unheard_of": [1]})
    for column in required:
        assert not validator.is_valid({key: value for key, value in whole.items() if key != column.spellings[0]})
        assert not validator.is_valid(whole | {column.spellings[0]: {"nested": 1}})
        for spelling in column.spellings[1:]:
            renamed = {key: value for key, value in whole.items() if key != column.spellings[0]} | {spelling: "1"}
            assert validator.is_valid(renamed)


def test_the_json_schema_refuses_values_of_another_kind() -> None:
    validator = jsonschema.Draft202012Validator(json_schema(TABLES["products_raw"]))
    assert validator.is_valid({"product_id": 1, "price_krw": "10.00", "is_display": True, "updated_at": None})
    assert validator.is_valid({"product_id": 1, "is_display": 0, "source_extracted_at": "2026-02-01T00:00:00Z"})
    wrong_values: tuple[dict[str, object], ...] = (
        {"price_krw": True},
        {"is_display": []},
        {"updated_at": 1_767_225_600},
        {"stock_quantity": [1]},
    )
    for wrong in wrong_values:
        assert not validator.is_valid({"product_id": 1} | wrong), wrong


def test_each_expectation_follows_from_the_contract() -> None:
    kinds = {
        re.sub(r"ExpectColumn|Values|ToBe", "", type(expectation).__name__)
        for expectation in expectations(TABLES["orders_raw"])
    }
    assert kinds == {"ExpectTableRowCountBetween", "ToExist", "ToNotBeNull", "InSet", "Between"}


@pytest.mark.parametrize(
    ("changes", "added", "removed"),
    [
        ({"meta": {"required": None}}, 1, 2),
        ({"meta": {"exclusive_minimum": 10}}, 1, 1),
        ({"meta": {"exclusive_minimum": None, "minimum": 0}}, 1, 1),
        ({"meta": {"exclusive_minimum": None}}, 0, 1),
        ({"data_type": "string", "meta": {"required": None}}, 1, 2),
        ({"meta": {"allowed_values_rule": "silver/payment_status_allowed"}}, 1, 0),
        ({"name": "amount_krw", "meta": {"spellings": ["amount"]}}, 3, 3),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_changing_the_yaml_changes_the_suite(project: Path, changes: dict[str, Any], added: int, removed: int) -> None:
    before = suite(read_contracts(project)["payment_orders_raw"])
    after = suite(change(project, "payment_orders_raw", "amount", **changes))
    assert (len(after - before), len(before - after)) == (added, removed)


@pytest.mark.parametrize("earlier", ["2026-05-31", "2026-06-01 08:59:59.999999+09:00", "2026-06-01T13:00:00+14:00"])
def test_a_newer_version_of_a_rule_changes_the_suite(project: Path, earlier: str) -> None:
    """Newer is a question of instants, not of their spelling."""
    before = suite(read_contracts(project)["payment_orders_raw"])
    rules = (project / RULES).read_text(encoding="utf-8").splitlines()
    header = rules[0].split(",")
    newer = dict.fromkeys(header, "") | {
        "rule_id": "silver_payment_status_allowed_v2",
        "domain": "silver",
        "metric": "payment_status_allowed",
        "effective_start_ts": "2026-06-01 00:00:00",
        "allowed_values": '"[""PAID"", ""SETTLED""]"',
    }
    older = newer | {"rule_id": "older", "effective_start_ts": earlier, "allowed_values": '"[""PAID""]"'}
    added = [",".join(version[name] for name in header) for version in (newer, older)]
    text = "\n".join([rules[0], *added, *rules[1:]])
    (project / RULES).write_text(text, encoding="utf-8")
    difference = suite(read_contracts(project)["payment_orders_raw"]) ^ before
    assert len(difference) == 2
    assert any("SETTLED" in line for line in difference)


def test_rules_that_cannot_be_read_are_named_in_one_line(project: Path) -> None:
    text = (project / RULES).read_text(encoding="utf-8")
    (project / RULES).write_text(f"{text}odd,ledger,drift_abs,,,,,,\n", encoding="utf-8")
    with pytest.raises(
        LakeError, match=r"^seeds/rules.csv cannot be read: rule odd: threshold is empty \(allowed: .*\)$"
    ):
        read_contracts(project)
