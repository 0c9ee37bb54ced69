"""The whole project through dbt-databricks and the local endpoint, compared with DuckDB table by table."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from python_jobs.generate import Fault, GenerateRequest, generate
from python_jobs.pipelines import parse_project
from tests.commands import Plura
from tests.dbt_runs import PROJECT
from tests.lakes import Lake
from tests.spark import Twins

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest
    from pyspark.sql import SparkSession

    from tests.databricks.endpoint import Endpoint

pytestmark = pytest.mark.timeout(2400)  # three builds

D1, D2 = date(2026, 2, 1), date(2026, 2, 2)
FAULTS = tuple(
    Fault(kind=kind, day=day)
    for kind, day in (("missing_entry", 1), ("wrong_sign", 2), ("late_row", 1), ("bad_amount", 2), ("unknown_type", 1))
)

SALT = "salt-of-the-workspace"
WHEEL = "/Volumes/plura/bronze/work/plura-0.1.0-py3-none-any.whl"
CLUSTER = {"spark_version": "17.3.x-scala2.13", "node_type_id": "Standard_D4ds_v5", "num_workers": 1}
SETTINGS = {
    "ANON_USER_KEY_SALT": SALT,  # of DuckDB; Databricks has it from its secret scope
    "PLURA_ANALYSTS_GROUP": "analysts",
    "PLURA_CONTROLS_GROUP": "controllers",
    "PLURA_PYTHON_WHEEL": WHEEL,
    # Delta Lake outside Databricks has no concurrency of rows: writers of one table would meet
    "PLURA_DATABRICKS_THREADS": "1",
}

FOR_CONTROLLERS = {
    "admin_tx_search",
    "exception_ledger",
    "ledger_supply_balance_daily",
    "recon_daily_snapshot_flow",
    "wallet_balance_daily",
}
FOR_BOTH = {"ops_ledger_pairing_quality_daily", "ops_payment_failure_daily", "ops_payment_refund_daily"}
FOR_ANALYSTS = {"fact_payment_anonymized", "fact_payment_dropped_daily"}

NAMES_SOMEBODY = {
    "commerce_order_ref",
    "message",
    "order_id",
    "order_ref",
    "paired_tx_id",
    "raw_json",
    "related_id",
    "salt",
    "subject",
    "tx_id",
    "user_id",
    "wallet_id",
}
"""Columns with ids of people, wallets, orders or transactions, or with text that may hold some."""


@pytest.fixture(scope="module")
def twins(
    tmp_path_factory: pytest.TempPathFactory,
    manifest: Manifest,
    spark_session: SparkSession,
    spark_warehouse: Path,
    endpoint: Endpoint,
) -> Iterator[Twins]:
    """An empty lake on DuckDB, and an empty workspace."""
    endpoint.jobs.secrets["plura", "anon_user_key_salt"] = SALT
    with mock.patch.dict(os.environ, SETTINGS):
        pair = Twins(
            lake=Lake(work=tmp_path_factory.mktemp("databricks"), manifest=manifest, checks=False),
            session=spark_session,
            manifest=parse_project(PROJECT, spark_warehouse, "databricks"),
            folder=spark_warehouse,
            target="databricks",
            checks=True,
            log=True,
        )
        pair.start_over()
        yield pair
        pair.start_over()


@pytest.fixture(scope="module")
def ran(twins: Twins, tmp_path_factory: pytest.TempPathFactory) -> Twins:
    """Three generated days with faults, of which two are asked for."""
    raw = tmp_path_factory.mktemp("raw") / "days"
    generate(GenerateRequest(out=raw, days=3, wallets=60, entries=1200, seed=11, first_day=D1, faults=FAULTS))
    twins.lake.load_folder(raw)
    for result in twins.run(D1, D2, now=datetime(2026, 2, 3, 1, tzinfo=UTC)):
        assert result.problems == ()
    return twins


def contracted(twins: Twins) -> dict[str, Any]:
    """Models with a contract by the name of their table."""
    return {
        f"{node.schema}.{node.alias}": node
        for node in twins.manifest.nodes.values()
        if node.resource_type == "model" and node.config.contract.enforced
    }


def test_generated_days_with_faults_give_the_tables_of_duckdb(ran: Twins) -> None:
    assert ran.differences() == []
    assert ran.lake.exceptions() != []


def test_the_salt_is_in_no_statement_no_notebook_and_no_log(ran: Twins, endpoint: Endpoint) -> None:
    assert {row.salt_version for row in ran.session.table("gold.fact_payment_anonymized").collect()} == {"v1"}
    logs = [file.read_text(encoding="utf-8") for file in Path(os.environ["DBT_LOG_PATH"]).iterdir()]
    assert any("int_pseudonym_salt" in text for text in logs)
    for text in (*endpoint.statements.texts, *endpoint.jobs.notebooks.values(), *logs):
        assert SALT not in text


def test_groups_are_granted_their_marts_and_nothing_else(ran: Twins, endpoint: Endpoint) -> None:
    granted = endpoint.dialect.grants()
    by_group = {
        group: {name.split(".")[-1].strip("`") for name, standing in granted.items() if (group, "SELECT") in standing}
        for group in ("analysts", "controllers")
    }
    assert by_group == {"analysts": FOR_ANALYSTS | FOR_BOTH, "controllers": FOR_CONTROLLERS | FOR_BOTH}
    assert {pair for standing in granted.values() for pair in standing} == {
        ("analysts", "SELECT"),
        ("controllers", "SELECT"),
    }
    for table in by_group["analysts"]:
        assert NAMES_SOMEBODY.isdisjoint(ran.session.table(f"gold.{table}").columns), table
    assert {"user_id"} <= NAMES_SOMEBODY & set(ran.session.table("gold.recon_daily_snapshot_flow").columns)


def test_descriptions_reach_the_catalog(ran: Twins) -> None:
    for table, node in contracted(ran).items():
        columns = {field.name: field.metadata.get("comment") for field in ran.session.table(table).schema.fields}
        assert columns == {column.name: column.description for column in node.columns.values()}, table
        assert (ran.session.catalog.getTable(table).description or "").strip() == node.description.strip(), table
    view = {
        field.name: field.metadata.get("comment") for field in ran.session.table("bronze.stg_products").schema.fields
    }
    assert all(view.values())


def test_tables_are_laid_out_by_what_reads_them(ran: Twins) -> None:
    for table, node in contracted(ran).items():
        detail = ran.session.sql(f"describe detail {table}").collect()[0]
        assert detail["clusteringColumns"] == (node.config.get("liquid_clustered_by") or []), table
        assert detail["partitionColumns"] == (node.config.get("partition_by") or []), table
    assert ran.session.sql("describe detail gold.admin_tx_search").collect()[0]["clusteringColumns"] != []


def test_required_columns_hold_no_null(ran: Twins, endpoint: Endpoint) -> None:
    """Tables that are created from their contract refuse NULL; one that a query made is altered afterwards."""
    not_null = [text for kind, text in endpoint.dialect.recorded if kind == "not null"]
    for table, node in contracted(ran).items():
        nullable = {field.name for field in ran.session.table(table).schema.fields if field.nullable}
        for column in node.columns.values():
            if any(constraint.type == "not_null" for constraint in column.constraints) and column.name in nullable:
                name = f"`plura`.`{node.schema}`.`{node.alias}`"
                assert f"alter table {name} change column `{column.name}` set not null" in not_null


@pytest.mark.usefixtures("ran")
def test_python_models_run_on_serverless_compute_with_the_wheel(endpoint: Endpoint) -> None:
    runs = [run.submission for run in endpoint.jobs.runs.values()]
    assert {run["tasks"][0]["notebook_task"]["notebook_path"].split("/")[-1] for run in runs} == {
        "int_dq_window_metrics",
        "int_rules_read",
        "int_pseudonym_salt",
    }
    for run in runs:
        assert "new_cluster" not in run["tasks"][0]
        assert run["environments"][0]["spec"]["dependencies"] == [WHEEL]


def test_a_rerun_with_a_late_row_changes_the_same_rows_and_no_other(ran: Twins, endpoint: Endpoint) -> None:
    """The rerun brings descriptions that changed, too, and runs the Python models on a cluster of their own."""
    ran.checks = False
    before = {table: ran.session.table(table).collect() for table in contracted(ran) if table.startswith("silver.")}
    submitted = len(endpoint.jobs.runs)
    on_cluster = {"PLURA_PYTHON_SUBMISSION": "job_cluster", "PLURA_PYTHON_CLUSTER": json.dumps(CLUSTER)}
    with mock.patch.dict(os.environ, on_cluster):
        ran.manifest = parse_project(PROJECT, ran.folder, "databricks")
    entries = ran.manifest.nodes["model.plura.ledger_entries"]
    entries.description, entries.columns["amount"].description = "It's said anew.", r"Won, \\ 'signed'."
    late = {"tx_id": "late", "wallet_id": "user_0000003", "type": "MINT", "amount": "12.34"}
    stamps = {"created_at": "2026-02-01T03:00:00Z", "source_extracted_at": "2026-02-02T03:00:00Z"}
    ran.lake.load({"transaction_ledger": [late | stamps]})
    for result in ran.run(D1, D2):
        assert result.problems == ()
    assert ran.differences() == []
    assert ran.session.catalog.getTable("silver.ledger_entries").description == entries.description
    (amount,) = (field for field in ran.session.table("silver.ledger_entries").schema.fields if field.name == "amount")
    assert amount.metadata["comment"] == entries.columns["amount"].description
    for table in ("silver.ledger_entries", "silver.wallet_snapshot", "silver.order_events", "silver.bad_records"):
        new = [row for row in ran.session.table(table).collect() if row not in before[table]]
        assert len(new) + len(before[table]) == ran.session.table(table).count()
        assert [row.tx_id for row in new] == (["late"] if table == "silver.ledger_entries" else [])
    for run in list(endpoint.jobs.runs.values())[submitted:]:
        task = run.submission["tasks"][0]
        assert task["new_cluster"] == CLUSTER
        assert task["libraries"] == [{"whl": WHEEL}]


def test_the_commands_for_a_laptop_run_on_it(ran: Twins) -> None:
    ran.lake.now = datetime(2026, 2, 4, 1, tzinfo=UTC)
    ran.bring_bronze()
    assert ran.lake.run(pipelines=("guardrail",), run_id="again").problems == ()
    ours = {name: value for name, value in os.environ.items() if name.startswith("PLURA_")}
    plura = Plura(work=ran.lake.work, settings=ours | {"DBT_INDIRECT_SELECTION": "empty"})
    options = ("--target=databricks", f"--as-of={ran.lake.now.isoformat()}", "--run-id=again")
    done = plura("lake", "run", "--pipeline=guardrail", *options)
    assert done.code == 0, done
    assert "run again of guardrail succeeded" in done.out
    assert ran.differences() == []
    assert plura("lake", "report", "--target", "databricks") == plura("lake", "report", "--target", "duckdb")


def test_a_failed_python_model_has_its_reason_in_the_message(ran: Twins, endpoint: Endpoint) -> None:
    with mock.patch.dict(endpoint.jobs.secrets, clear=True):
        result = ran.run_on_spark(pipelines=(), run_id="no_secret")
    assert [problem for problem in result.problems if "Secret does not exist" in problem], result.problems


@pytest.mark.parametrize(
    ("secret", "settings", "why"),
    [
        ("another-salt", {}, "is not the one that the keys of version 'v1' were made with"),
        (f"{SALT}\n", {}, "begins or ends with white space"),
        ("  ", {}, "The salt is blank"),
        ("local-salt-v1", {"PLURA_ENV": "prod"}, "the local dummy is refused in production"),
    ],
)
def test_a_secret_that_may_not_be_the_salt_stops_its_notebook_and_changes_no_key(
    ran: Twins, endpoint: Endpoint, secret: str, settings: dict[str, str], why: str
) -> None:
    before = [ran.session.table(f"gold.{name}").collect() for name in ("int_pseudonym_salt", "pseudonym_salt_version")]
    manifest = ran.manifest
    with (
        mock.patch.dict(endpoint.jobs.secrets, {("plura", "anon_user_key_salt"): secret}),
        mock.patch.dict(os.environ, settings),
    ):
        if settings:
            ran.manifest = parse_project(PROJECT, ran.folder, "databricks")
        result = ran.run_on_spark(pipelines=(), run_id="changed")
        ran.manifest = manifest
    assert [problem for problem in result.problems if problem.startswith("int_pseudonym_salt:") and why in problem], (
        result
    )
    after = [ran.session.table(f"gold.{name}").collect() for name in ("int_pseudonym_salt", "pseudonym_salt_version")]
    assert after == before
